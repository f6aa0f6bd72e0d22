// A quota as the words see it: in units of one virtual clock.
#pragma once

#include <cstdint>

#include "ratelimit/quota.hpp"
#include "ratelimit/virtual_clock.hpp"

namespace sekisho::ratelimit {

struct BucketTable;

// Immutable.
struct Terms {
  Terms(const Quota& new_quota, const VirtualClock& new_clock, BucketTable& new_table)
      : quota(new_quota),
        clock(new_clock),
        cost(std::uint64_t{1} << clock.fraction_bits()),
        burst(quota.burst << clock.fraction_bits()),
        ceiling(burst + VirtualClock::units_within(quota.delay, quota, clock.fraction_bits())),
        table(&new_table) {}

  Quota quota;
  VirtualClock clock;
  std::uint64_t cost;     // of one request
  std::uint64_t burst;    // the debt beyond which a request has to wait
  std::uint64_t ceiling;  // the debt beyond which it is refused
  BucketTable* table;     // where the buckets are
};

}  // namespace sekisho::ratelimit
