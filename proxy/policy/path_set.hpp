// The paths of one match: patterns, expressions and catalogues compiled together.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/diagnostics.hpp"
#include "proxy/policy/expression.hpp"
#include "proxy/policy/path_readings.hpp"
#include "proxy/policy/pattern_index.hpp"

namespace sekisho::policy {

// What matched. The views hold as long as the set and the readings.
struct PathMatch {
  bool matched = false;
  std::string_view reading;  // of matches_any: the one that matched
  std::string_view pattern;  // as written in the file; "" where the readings were too many to tell
  std::string_view entry;    // of a catalogue: its pattern
  explicit operator bool() const { return matched; }
};

// One instance a worker: it has scratch, and RE2 locks when shared. Once warm, matching allocates nothing but
// what RE2 does, which is asked only after everything else said nothing; a set without `~` never enters it.
class PathSet {
 public:
  // Each text is a pattern (path_pattern.hpp), `~` and an expression, or builtin:CATALOGUE[/GROUP].
  static PathSet compile(const config::Texts& texts, config::Diagnostics& diagnostics);

  // Whether any reading matches, by an expression also without its trailing slash or format suffix. True
  // where the readings are incomplete: what cannot be told must not get round a limit.
  PathMatch matches_any(const PathReadings& readings) const;
  // Whether every reading matches, by an expression just as it stands. False where the readings are
  // incomplete.
  PathMatch matches_all(const PathReadings& readings) const;
  PathMatch matches(std::string_view reading) const;

 private:
  struct CatalogueUse {
    std::string text;
    std::uint32_t groups = 0;  // one bit a group
  };

  PathMatch by_patterns(std::string_view reading) const;
  PathMatch recall_patterns(std::string_view reading) const;
  PathMatch by_expressions(std::string_view reading) const;
  PathMatch by_expressions_as_routed(std::string_view reading) const;

  // What patterns and catalogues say of a path that is asked for again, as most are: remembered by a few of
  // its bytes, the last one that had those.
  struct Recalled {
    static constexpr std::size_t longest = 55;
    std::uint8_t size = 0;  // 0: none
    std::array<char, longest> text{};
    PathMatch match;
  };
  static constexpr std::size_t recalled_places = 64;

  PatternIndex index_;
  std::vector<std::string> texts_;  // of the index's patterns
  std::vector<Expression> expressions_;
  std::vector<std::string> expression_texts_;
  std::vector<CatalogueUse> catalogues_;
  std::uint32_t groups_ = 0;  // of all catalogues_
  mutable PatternIndex::Scratch tried_, catalogue_tried_;
  mutable std::string lowered_;
  mutable std::vector<Recalled> recalled_;  // empty until a path is asked for
};

}  // namespace sekisho::policy
