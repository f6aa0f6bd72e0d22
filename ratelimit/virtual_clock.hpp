// A limit's own time: it advances by one unit as often as the quota gives a fraction of a token back.
#pragma once

#include <chrono>
#include <cstdint>

#include "ratelimit/instant.hpp"
#include "ratelimit/quota.hpp"

namespace sekisho::ratelimit {

// units(t) = base_units + floor((t - base_time) * multiplier / 2^shift), one unit being 2^-fraction_bits
// tokens.
//
// A clock is one straight piece and immutable; bent() continues it at another rate, so that all pieces
// together are one continuous function of time, and a stamp from before a bend is read on the piece that held
// then. The earlier pieces must outlive the later ones. Never faster than the quota, and slower by less than
// one part in 2^31.
class VirtualClock {
 public:
  // Bounds of what a clock and the words can hold (docs/limiter.md, "The clock").
  static constexpr unsigned max_units_per_second_bits = 26;
  static constexpr unsigned max_debt_bits = 33;

  // Whether a token cut into 2^fraction_bits units leaves `quota` within the bounds: its rate, and the most
  // debt that it lets a bucket have (twice the burst, or the burst and what the delay gives back).
  static bool fits(const Quota& quota, unsigned fraction_bits);
  // The finest cut that also leaves room for 2^8 times the rate and 2^8 times the burst, if there is one.
  static unsigned fraction_bits_for(const Quota& quota);
  // What `quota` gives back within `time`, rounded down. Requires fits() for a `time` that is its delay.
  static std::uint64_t units_within(Duration time, const Quota& quota, unsigned fraction_bits);

  // Reads 0 at `start`. Requires fits().
  VirtualClock(const Quota& quota, unsigned fraction_bits, Instant start);
  // From `at` on, the rate of `quota`; requires fits(). Keeps a pointer to this clock.
  VirtualClock bent(const Quota& quota, Instant at) const;

  // Units at `time`. Never decreases, also across bends; below 0 for a time before the start.
  std::int64_t at(Instant time) const {
    const std::int64_t stamp = nanoseconds(time);
    if (stamp < base_time_) [[unlikely]]
      return earlier(stamp);
    __extension__ using Wide = unsigned __int128;
    const auto elapsed = static_cast<std::uint64_t>(stamp) - static_cast<std::uint64_t>(base_time_);
    return base_units_ + static_cast<std::int64_t>(static_cast<Wide>(elapsed) * multiplier_ >> shift_);
  }
  // The first instant at which at() is `units` or more; Instant::max() if that is beyond what an Instant
  // holds.
  Instant when(std::int64_t units) const;

  unsigned fraction_bits() const { return fraction_bits_; }

 private:
  static std::int64_t nanoseconds(Instant time) {
    return std::chrono::duration_cast<Duration>(time.time_since_epoch()).count();
  }
  // at() for a stamp before this piece began.
  std::int64_t earlier(std::int64_t stamp) const;

  VirtualClock(const Quota& quota, unsigned fraction_bits, std::int64_t base_time, std::int64_t base_units,
               const VirtualClock* previous);

  std::int64_t base_time_;
  std::int64_t base_units_;
  std::uint64_t multiplier_;  // in [2^31, 2^32)
  unsigned shift_;
  unsigned fraction_bits_;
  const VirtualClock* previous_;
};

}  // namespace sekisho::ratelimit
