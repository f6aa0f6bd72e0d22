#include "config/source.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace sekisho::config {
namespace {

std::optional<std::string> read_stream(std::FILE* stream, std::size_t most, std::string& problem) {
  std::string text;
  char chunk[16384];
  while (const std::size_t got = std::fread(chunk, 1, sizeof chunk, stream)) {
    text.append(chunk, got);
    if (text.size() > most) {
      problem = fmt::format("is larger than {} KiB", most / 1024);
      return std::nullopt;
    }
  }
  if (std::ferror(stream) != 0) {
    problem = fmt::format("cannot be read: {}", std::strerror(errno));
    return std::nullopt;
  }
  return text;
}

}  // namespace

std::optional<std::string> read_file(const std::filesystem::path& path, std::size_t most,
                                     std::string& problem) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> stream(std::fopen(path.c_str(), "rbe"), &std::fclose);
  if (!stream) {
    problem = fmt::format("cannot be opened: {}", std::strerror(errno));
    return std::nullopt;
  }
  return read_stream(stream.get(), most, problem);
}

std::optional<std::string> read_regular_file(const std::filesystem::path& path, std::size_t most,
                                             std::string& problem) {
  std::error_code code;
  if (!std::filesystem::is_regular_file(path, code) && std::filesystem::exists(path, code)) {
    problem = "is not a regular file";
    return std::nullopt;
  }
  return read_file(path, most, problem);
}

std::optional<std::string> read_source(const std::string& source, std::size_t most, std::string& problem) {
  if (source == "-") return read_stream(stdin, most, problem);
  if (!source.starts_with("env:")) return read_file(source, most, problem);
  const std::string name = source.substr(4);
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) {
    problem = fmt::format("the environment variable {} is not set", name);
    return std::nullopt;
  }
  std::string text(value);
  if (text.size() > most) {
    problem = fmt::format("is larger than {} KiB", most / 1024);
    return std::nullopt;
  }
  return text;
}

std::size_t find_invalid_text(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned first = byte(i);
    if (first == 0) return i;
    if (first < 0x80) {
      ++i;
      continue;
    }
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || i + length > text.size()) return i;
    unsigned code = first & (0xffU >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xc0) != 0x80) return i;
      code = code << 6 | (byte(i + k) & 0x3fU);
    }
    // Overlong forms, surrogates and what lies beyond Unicode.
    const unsigned least = length == 4 ? 0x10000U : length == 3 ? 0x800U : 0x80U;
    if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return i;
    i += length;
  }
  return std::string_view::npos;
}

}  // namespace sekisho::config
