#include "tests/proxy/framing_case.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string_view>

namespace sekisho::test {

namespace {

class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : name_(path.filename().string()), stream_(path) {
    if (!stream_) fail("cannot be read");
  }

  void read(std::vector<FramingCase>& cases) {
    std::string line;
    while (std::getline(stream_, line)) {
      ++number_;
      if (line.empty() || line.front() == '#') continue;
      const auto space = std::min(line.find(' '), line.size());
      const std::string word = line.substr(0, space);
      const std::string rest = space < line.size() ? line.substr(space + 1) : "";
      if (word == "==") {
        cases.emplace_back().file = name_;
        cases.back().name = rest;
      } else if (cases.empty()) {
        fail("a line outside of a case");
      } else {
        take(cases.back(), word, rest);
      }
    }
  }

 private:
  void take(FramingCase& entry, const std::string& word, const std::string& rest) {
    if (word == "request" || word == "response" || word == "chunked") {
      entry.kind = word;
      entry.method = rest;
    } else if (word == "limits") {
      for (const auto& [name, value] : assignments(rest)) {
        if (name != "bytes" && name != "fields") fail("an unknown limit");
        (name == "bytes" ? entry.max_bytes : entry.max_fields) = std::stoul(value);
      }
    } else if (word == "in") {
      entry.input += unescape(rest);
    } else if (word.starts_with("in*")) {
      const std::string piece = unescape(rest);
      for (auto left = std::stoul(word.substr(3)); left > 0; --left) entry.input += piece;
    } else if (word == "want") {
      const auto space = std::min(rest.find(' '), rest.size());
      entry.verdict = rest.substr(0, space);
      for (const auto& [name, value] : assignments(rest.substr(space))) entry.words[name] = unescape(value);
    } else if (word == "field") {
      const auto colon = rest.find(':');
      if (colon == std::string::npos) fail("a field without a colon");
      const auto value = std::min(rest.find_first_not_of(' ', colon + 1), rest.size());
      entry.fields.emplace_back(rest.substr(0, colon), unescape(rest.substr(value)));
    } else {
      fail("an unknown word: " + word);
    }
  }

  std::vector<std::pair<std::string, std::string>> assignments(const std::string& text) {
    std::vector<std::pair<std::string, std::string>> found;
    std::istringstream words(text);
    std::string word;
    while (words >> word) {
      const auto equals = word.find('=');
      if (equals == std::string::npos) fail("no assignment: " + word);
      found.emplace_back(word.substr(0, equals), word.substr(equals + 1));
    }
    return found;
  }

  std::string unescape(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\') {
        out += text[i];
        continue;
      }
      if (++i == text.size()) fail("an escape without an end");
      switch (text[i]) {
        case 'r':
          out += '\r';
          break;
        case 'n':
          out += '\n';
          break;
        case 't':
          out += '\t';
          break;
        case 's':
          out += ' ';
          break;
        case '\\':
          out += '\\';
          break;
        case 'x':
          out += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
          i += 2;
          break;
        default:
          fail("an unknown escape");
      }
    }
    return out;
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error(name_ + ":" + std::to_string(number_) + ": " + what);
  }

  std::string name_;
  std::ifstream stream_;
  int number_ = 0;
};

}  // namespace

std::vector<FramingCase> read_framing_cases(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".case") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<FramingCase> cases;
  for (const auto& path : paths) Reader(path).read(cases);
  return cases;
}

}  // namespace sekisho::test
