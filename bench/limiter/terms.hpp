// What every limiter of the comparison is told, and the arithmetic that all of them share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "ratelimit/gcra.hpp"
#include "ratelimit/key.hpp"
#include "ratelimit/quota.hpp"
#include "ratelimit/virtual_clock.hpp"

namespace sekisho::bench {

// A quota as a limiter reads it. Immutable.
struct Terms {
  Terms(const ratelimit::Quota& quota, ratelimit::Instant start)
      : clock(quota, ratelimit::VirtualClock::fraction_bits_for(quota), start),
        cost(std::uint64_t{1} << clock.fraction_bits()),
        burst(quota.burst << clock.fraction_bits()) {}

  std::uint64_t units(ratelimit::Instant now) const { return static_cast<std::uint64_t>(clock.at(now)); }

  ratelimit::VirtualClock clock;
  std::uint64_t cost;
  std::uint64_t burst;
};

// What each of them answers: the verdict, and how many requests would be admitted after it.
struct Answer {
  bool admitted;
  std::uint64_t remaining;
};

// GCRA on one client's value, which the caller has for itself: `value` is changed where it is admitted.
inline Answer charge_value(std::uint64_t& value, std::uint64_t now, const Terms& terms) {
  const std::uint64_t debt = ratelimit::Gcra::debt(value, now);
  if (!ratelimit::Gcra::admits(debt, terms.cost, terms.burst)) return {false, 0};
  value = ratelimit::Gcra::value_of(debt + terms.cost, now);
  return {true, (terms.burst - debt - terms.cost) >> terms.clock.fraction_bits()};
}

// The keys are hashed already, with a secret: their own bits serve as a map's hash.
struct KeyHash {
  using is_avalanching = void;
  std::size_t operator()(const ratelimit::Key& key) const { return key.high; }
};

}  // namespace sekisho::bench
