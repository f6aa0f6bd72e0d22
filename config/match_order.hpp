// Whether one match certainly holds wherever another does.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.hpp"

namespace sekisho::config {

// A match made ready to be held against others: its lists sorted, since they may be long.
class MatchOrder {
 public:
  explicit MatchOrder(const Match& match);

  // True only where every request that `narrow` matches is matched by this too. Judged by the text of the
  // clauses, so false says nothing.
  bool covers(const MatchOrder& narrow) const;

 private:
  using Sorted = std::vector<std::string>;
  using Clause = std::optional<Sorted>;

  bool leaves_out(const MatchOrder& other) const;
  bool disjoint(const MatchOrder& other) const;

  Clause paths_, methods_, hosts_, networks_;
  std::vector<std::pair<std::string_view, Sorted>> headers_;
  std::vector<MatchOrder> except_;
};

}  // namespace sekisho::config
