// The cases of tests/data/framing, read from their text form (its README.md says how it looks).
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace sekisho::test {

struct FramingCase {
  std::string file;
  std::string name;
  std::string kind;    // request, response or chunked
  std::string method;  // response: of the request it answers
  std::size_t max_bytes = 80 * 1024;
  std::size_t max_fields = 100;
  std::string input;
  std::string verdict;
  std::map<std::string, std::string> words;
  std::vector<std::pair<std::string, std::string>> fields;
};

// Throws std::runtime_error that names the file and the line of what it does not understand.
std::vector<FramingCase> read_framing_cases(const std::string& folder);

}  // namespace sekisho::test
