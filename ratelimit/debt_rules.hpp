// How a table reads values that are virtual times: for buckets and for bans.
#pragma once

#include <cstdint>

#include "ratelimit/gcra.hpp"

namespace sekisho::ratelimit {

struct DebtRules {
  static constexpr bool evicts = true;
  std::uint64_t now;
  std::uint64_t margin;  // how much older than `now` another thread's stamp may be

  bool spent(std::uint64_t value) const { return Gcra::spent(value, now, margin); }
  std::uint64_t weight(std::uint64_t value) const { return Gcra::debt(value, now); }
};

}  // namespace sekisho::ratelimit
