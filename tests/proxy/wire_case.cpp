#include "tests/proxy/wire_case.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>

#include "tests/proxy/wire_pattern.hpp"

namespace sekisho::test {

namespace {

using Kind = WireStep::Kind;

const std::map<std::string, Kind> words_with_text = {{"client>", Kind::client_sends},
                                                     {"client<", Kind::client_gets},
                                                     {"server>", Kind::server_sends},
                                                     {"server<", Kind::server_gets}};
const std::map<std::string, Kind> events = {{"client connects", Kind::client_connects},
                                            {"client ends", Kind::client_ends},
                                            {"client leaves", Kind::client_leaves},
                                            {"client sees end", Kind::client_sees_end},
                                            {"client sees reset", Kind::client_sees_reset},
                                            {"server accepts", Kind::server_accepts},
                                            {"server ends", Kind::server_ends},
                                            {"server resets", Kind::server_resets},
                                            {"server sees end", Kind::server_sees_end}};

class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : name_(path.filename().string()), stream_(path) {
    if (!stream_) fail("cannot be read");
  }

  void read(std::vector<WireCase>& cases) {
    std::string line;
    while (std::getline(stream_, line)) {
      ++number_;
      if (line.empty() || line.front() == '#') continue;
      if (line.starts_with("== ")) {
        cases.emplace_back().file = name_;
        cases.back().name = line.substr(3);
        previous_ = 0;
      } else if (cases.empty()) {
        fail("a line outside of a case");
      } else {
        take(cases.back(), line);
      }
    }
  }

 private:
  void take(WireCase& entry, const std::string& line) {
    const auto space = std::min(line.find(' '), line.size());
    std::string word = line.substr(0, space);
    const std::string rest = space < line.size() ? line.substr(space + 1) : "";
    if (word == "config") {
      entry.config += rest + "\n";
    } else if (line == "whole") {
      entry.in_pieces = false;
    } else if (const auto event = events.find(line); event != events.end()) {
      entry.steps.push_back({event->second, "", number_});
    } else {
      std::size_t times = 1;
      if (const auto star = word.find('*'); star != std::string::npos) {
        times = std::stoul(word.substr(star + 1));
        word.resize(star);
      }
      const auto with_text = words_with_text.find(word);
      if (with_text == words_with_text.end()) fail("an unknown line: " + line);
      add_text(entry, with_text->second, rest, times);
    }
  }

  // Lines of one kind that stand together are one step.
  void add_text(WireCase& entry, Kind kind, const std::string& text, std::size_t times) {
    const bool pattern = kind == Kind::client_gets || kind == Kind::server_gets;
    std::string bytes;
    try {
      bytes = pattern ? compile_pattern(text) : unescape(text);
    } catch (const std::runtime_error& error) {
      fail(error.what());
    }
    if (previous_ != number_ - 1 || entry.steps.empty() || entry.steps.back().kind != kind)
      entry.steps.push_back({kind, "", number_});
    for (; times > 0; --times) entry.steps.back().text += bytes;
    previous_ = number_;
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error(name_ + ":" + std::to_string(number_) + ": " + what);
  }

  std::string name_;
  std::ifstream stream_;
  int number_ = 0;
  int previous_ = 0;  // the last line with text
};

}  // namespace

std::vector<WireCase> read_wire_cases(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".case") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<WireCase> cases;
  for (const auto& path : paths) Reader(path).read(cases);
  return cases;
}

}  // namespace sekisho::test
