// The one list of everything wrong with a configuration: config, policy and proxy all add to it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/mark.hpp"

namespace sekisho::config {

enum class Severity : std::uint8_t { error, warning };

struct Diagnostic {
  Severity severity = Severity::error;
  Mark mark;
  std::string message;
};

// Collects problems in the order found; sorted() orders them by place. Not thread-safe.
class Diagnostics {
 public:
  // Registers a source's display name (a path, "env:NAME", "-") and returns its index for Mark::file.
  std::uint16_t add_file(std::string name);

  void error(Mark mark, std::string message);
  void warning(Mark mark, std::string message);

  // An empty list whose marks mean the same files; append() brings what it found back.
  Diagnostics fresh() const;
  void append(const Diagnostics& other);

  bool has_errors() const;
  bool has_warnings() const;
  const std::vector<Diagnostic>& all() const { return items_; }
  // A copy ordered by file, line and column; what stands at the same place keeps its order, and what was said
  // twice of one place (through a YAML alias, say) is there once.
  std::vector<Diagnostic> sorted() const;
  // "FILE:LINE:COL: message"; "FILE: message" where the mark is nowhere.
  std::string format(const Diagnostic& diagnostic) const;

 private:
  std::vector<std::string> files_;
  std::vector<Diagnostic> items_;
};

}  // namespace sekisho::config
