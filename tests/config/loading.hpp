// What the tests of config share: loading a text and looking at its problems.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.hpp"

namespace sekisho::config {

inline Loaded load_yaml(std::string_view yaml, const std::filesystem::path& directory = ".") {
  return load_text(yaml, "f", directory);
}

// Every problem of one severity as "LINE:COL: message", in the file's order.
inline std::vector<std::string> problems(const Loaded& loaded, Severity severity = Severity::error) {
  std::vector<std::string> lines;
  for (const Diagnostic& item : loaded.diagnostics.sorted()) {
    if (item.severity == severity) lines.push_back(loaded.diagnostics.format(item).substr(2));
  }
  return lines;
}

// `yaml` below an upstream, so that only what the test is about can be wrong: its first line is line 2.
inline Loaded load_below_upstream(std::string_view yaml) {
  return load_yaml("upstream: 127.0.0.1:3000\n" + std::string(yaml));
}

class Environment {
 public:
  Environment(std::string name, const std::string& value) : name_(std::move(name)) {
    ::setenv(name_.c_str(), value.c_str(), 1);
  }
  ~Environment() { ::unsetenv(name_.c_str()); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  std::string name_;
};

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sekisho-config-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string write(const std::string& name, std::string_view content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
    return (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

}  // namespace sekisho::config
