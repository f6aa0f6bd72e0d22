// Many path patterns as one question, asked in time that does not grow with their number.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proxy/policy/path_pattern.hpp"
#include "proxy/policy/trigger_automaton.hpp"

namespace sekisho::policy {

// Patterns without wildcards are looked up in a hash table. One with wildcards has a text that every path it
// matches contains: all these texts are searched for in one pass, and only patterns whose text was found are
// tried, each once. Few have no such text
// (`/*`); they are always tried. Built once, then immutable: safe to share between threads.
class PatternIndex {
 public:
  // Which patterns were tried on this path; one for each user of the index.
  struct Scratch {
    std::vector<std::uint32_t> tried;
    std::uint32_t turn = 0;
  };

  // Returns the pattern's number, counted from 0.
  std::uint32_t add(PathPattern pattern);
  // After the last add(), before the first find().
  void build();

  // The number of a pattern that matches and that accept(number) agrees to, or -1. Allocates nothing once
  // `scratch` is warm.
  template <class Accept>
  int find(std::string_view path, Scratch& scratch, Accept accept) const {
    if (const int literal = find_literal(path, accept); literal >= 0) return literal;
    begin(scratch);
    int found = -1;
    const auto attempt = [&](std::uint32_t number) {
      if (scratch.tried[number] == scratch.turn) return false;
      scratch.tried[number] = scratch.turn;
      // In this order: few match, and accept() may ask more patterns.
      if (!patterns_[number].matches(path) || !accept(number)) return false;
      found = static_cast<int>(number);
      return true;
    };
    for (const std::uint32_t number : always_)
      if (attempt(number)) return found;
    triggers_.scan(path, attempt);
    return found;
  }

  std::size_t size() const { return patterns_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Table = std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>>;

  void begin(Scratch& scratch) const;

  template <class Accept>
  static int look_up(const Table& table, std::string_view path, Accept accept) {
    if (table.empty()) return -1;
    const auto entry = table.find(path);
    return entry != table.end() && accept(entry->second) ? static_cast<int>(entry->second) : -1;
  }

  template <class Accept>
  int find_literal(std::string_view path, Accept accept) const {
    if (const int number = look_up(exact_, path, accept); number >= 0) return number;
    const std::string_view bare = without_trailing_slash(path);
    if (const int number = look_up(literal_, bare, accept); number >= 0) return number;
    const std::string_view stem = without_format(bare);
    return stem.size() != bare.size() ? look_up(literal_, stem, accept) : -1;
  }

  std::vector<PathPattern> patterns_;
  Table exact_;
  Table literal_;
  std::vector<std::uint32_t> always_;
  TriggerAutomaton triggers_;
};

}  // namespace sekisho::policy
