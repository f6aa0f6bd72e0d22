// The cases of tests/data/wire, read from their text form (its README.md says how it looks).
#pragma once

#include <string>
#include <vector>

namespace sekisho::test {

struct WireStep {
  enum class Kind {
    client_sends,
    client_gets,
    client_connects,
    client_ends,
    client_leaves,
    client_sees_end,
    client_sees_reset,
    server_sends,
    server_gets,
    server_accepts,
    server_ends,
    server_resets,
    server_sees_end
  };
  Kind kind;
  std::string text;  // bytes to send; of the `gets` steps a pattern, see wire_pattern.hpp
  int line = 0;
};

struct WireCase {
  std::string file;
  std::string name;
  std::string config;     // YAML lines
  bool in_pieces = true;  // may be sent byte by byte too
  std::vector<WireStep> steps;
};

// Throws std::runtime_error that names the file and the line of what it does not understand.
std::vector<WireCase> read_wire_cases(const std::string& folder);

}  // namespace sekisho::test
