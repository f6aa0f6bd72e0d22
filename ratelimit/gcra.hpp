// GCRA as pure arithmetic on values modulo 2^bits (docs/limiter.md, "The decision").
#pragma once

#include <bit>
#include <cstdint>

#include "ratelimit/word.hpp"

namespace sekisho::ratelimit {

// A value is the virtual time at which a bucket will be full again; its debt is how far ahead of `now` that
// lies. All quantities are units of one virtual clock. The widths are parameters only so that a test can try
// every value of a narrow one; bits > stale_bits + 1.
template <unsigned bits, unsigned stale_bits>
struct BasicGcra {
  static constexpr std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
  // A value further ahead than this cannot be a debt: it is one that went idle so long ago that the clock
  // came round. Fixed for every table and for ever; deriving it from a burst lets skewed stamps forget live
  // debt.
  static constexpr std::uint64_t stale = std::uint64_t{1} << stale_bits;

  // value - now, in [-2^(bits-1), 2^(bits-1)).
  static constexpr std::int64_t distance(std::uint64_t value, std::uint64_t now) {
    const std::uint64_t difference = (value - now) & mask;
    const std::uint64_t sign = std::uint64_t{1} << (bits - 1);
    return static_cast<std::int64_t>(difference ^ sign) - static_cast<std::int64_t>(sign);
  }

  // What the bucket owes at `now`; 0 for an idle or a stale value.
  static constexpr std::uint64_t debt(std::uint64_t value, std::uint64_t now) {
    const std::uint64_t ahead = (value - now) & mask;  // what is behind comes out far above `stale`
    return ahead > stale ? 0 : ahead;
  }

  static constexpr bool admits(std::uint64_t debt, std::uint64_t cost, std::uint64_t burst) {
    return debt + cost <= burst;
  }

  // How many whole costs, each a power of two, may still be charged.
  static constexpr std::uint64_t remaining(std::uint64_t debt, std::uint64_t cost, std::uint64_t burst) {
    return debt < burst ? (burst - debt) >> std::countr_zero(cost) : 0;
  }

  static constexpr std::uint64_t value_of(std::uint64_t debt, std::uint64_t now) {
    return (now + debt) & mask;
  }

  // The debt that a refund of `amount` leaves: never below none.
  static constexpr std::uint64_t refunded(std::uint64_t debt, std::uint64_t amount) {
    return debt > amount ? debt - amount : 0;
  }

  // Whether the value holds nothing worth keeping, even for a caller whose stamp is as old as `oldest`.
  static constexpr bool spent(std::uint64_t value, std::uint64_t now, std::uint64_t oldest) {
    return distance(value, oldest) <= 0 || distance(value, now) > static_cast<std::int64_t>(stale);
  }
};

using Gcra = BasicGcra<word::value_bits, 34>;

}  // namespace sekisho::ratelimit
