// How a table reads values that are virtual times: for buckets and for bans.
#pragma once

#include <cstdint>

#include "ratelimit/gcra.hpp"

namespace sekisho::ratelimit {

struct DebtRules {
  static constexpr bool evicts = true;
  std::uint64_t now;
  std::uint64_t oldest;  // the oldest stamp that another thread may still be using

  bool spent(std::uint64_t value) const { return Gcra::spent(value, now, oldest); }
  std::uint64_t weight(std::uint64_t value) const { return Gcra::debt(value, now); }
};

}  // namespace sekisho::ratelimit
