#include "ratelimit/virtual_clock.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace sekisho::ratelimit {
namespace {

__extension__ using Wide = __int128;
__extension__ using UnsignedWide = unsigned __int128;

constexpr std::uint64_t nanoseconds_per_second = 1'000'000'000;
// A bucket that takes longer than this to fill is refused: every duration that the limiter computes then
// fits.
constexpr std::int64_t longest_refill = std::int64_t{1} << 62;

unsigned ceil_log2(std::uint64_t value) {
  return value <= 1 ? 0 : static_cast<unsigned>(std::bit_width(value - 1));
}

// In tokens, rounded up.
UnsignedWide most_debt(const Quota& quota) {
  const UnsignedWide waiting = static_cast<UnsignedWide>(quota.count) *
                                   static_cast<std::uint64_t>(quota.delay.count()) /
                                   static_cast<std::uint64_t>(quota.period.count()) +
                               (quota.delay > Duration::zero() ? 1 : 0);
  return quota.burst + std::max<UnsignedWide>(quota.burst, waiting);
}

}  // namespace

bool VirtualClock::fits(const Quota& quota, unsigned fraction_bits) {
  if (quota.count == 0 || quota.burst == 0 || quota.period <= Duration::zero()) return false;
  if (quota.delay < Duration::zero()) return false;
  const auto period = static_cast<UnsignedWide>(quota.period.count());
  const UnsignedWide units_each_period = static_cast<UnsignedWide>(quota.count) << fraction_bits;
  if (units_each_period > std::numeric_limits<UnsignedWide>::max() / nanoseconds_per_second) return false;
  if (units_each_period * nanoseconds_per_second > period << max_units_per_second_bits) return false;
  if (most_debt(quota) > (std::uint64_t{1} << max_debt_bits) >> fraction_bits) return false;
  return most_debt(quota) * period <= static_cast<UnsignedWide>(longest_refill) * quota.count;
}

unsigned VirtualClock::fraction_bits_for(const Quota& quota) {
  constexpr unsigned room = 8;
  constexpr unsigned finest = 16;
  const UnsignedWide each_second = static_cast<UnsignedWide>(quota.count) * nanoseconds_per_second /
                                       static_cast<std::uint64_t>(quota.period.count()) +
                                   1;
  const auto ceil_log2_of = [](UnsignedWide value) {
    return ceil_log2(static_cast<std::uint64_t>(
        std::min<UnsignedWide>(value, std::numeric_limits<std::uint64_t>::max() / 2)));
  };
  const auto left = [](unsigned most, unsigned used) { return most > used ? most - used : 0; };
  return std::min({finest, left(max_units_per_second_bits - room, ceil_log2_of(each_second)),
                   left(max_debt_bits - room, ceil_log2_of(most_debt(quota)))});
}

std::uint64_t VirtualClock::units_within(Duration time, const Quota& quota, unsigned fraction_bits) {
  const UnsignedWide units = (static_cast<UnsignedWide>(quota.count) << fraction_bits) *
                             static_cast<std::uint64_t>(time.count()) /
                             static_cast<std::uint64_t>(quota.period.count());
  return static_cast<std::uint64_t>(units);
}

VirtualClock::VirtualClock(const Quota& quota, unsigned fraction_bits, Instant start)
    : VirtualClock(quota, fraction_bits, nanoseconds(start), 0, nullptr) {}

VirtualClock::VirtualClock(const Quota& quota, unsigned fraction_bits, std::int64_t base_time,
                           std::int64_t base_units, const VirtualClock* previous)
    : base_time_(base_time),
      base_units_(base_units),
      multiplier_(0),
      shift_(0),
      fraction_bits_(fraction_bits),
      previous_(previous) {
  // The largest shift with count * 2^(fraction_bits + shift) / period below 2^32: the multiplier is then 2^31
  // or more.
  const auto period = static_cast<std::uint64_t>(quota.period.count());
  const auto multiplier = [&](unsigned shift) -> UnsignedWide {
    return (static_cast<UnsignedWide>(quota.count) << (fraction_bits + shift)) / period;
  };
  while (multiplier(shift_) < UnsignedWide{1} << 31) ++shift_;
  multiplier_ = static_cast<std::uint64_t>(multiplier(shift_));
}

VirtualClock VirtualClock::bent(const Quota& quota, Instant at) const {
  const std::int64_t time = std::max(nanoseconds(at), base_time_);
  return {quota, fraction_bits_, time, this->at(Instant(Duration(time))), this};
}

std::int64_t VirtualClock::earlier(std::int64_t stamp) const {
  const VirtualClock* piece = this;
  while (stamp < piece->base_time_ && piece->previous_ != nullptr) piece = piece->previous_;
  const Wide product = (static_cast<Wide>(stamp) - piece->base_time_) * static_cast<Wide>(piece->multiplier_);
  return piece->base_units_ +
         static_cast<std::int64_t>(product >> piece->shift_);  // rounds down, also below 0
}

Instant VirtualClock::when(std::int64_t units) const {
  const VirtualClock* piece = this;
  while (units <= piece->base_units_ && piece->previous_ != nullptr) piece = piece->previous_;
  const Wide gained = static_cast<Wide>(units) - piece->base_units_;
  const UnsignedWide magnitude = static_cast<UnsignedWide>(gained < 0 ? -gained : gained);
  const auto high = static_cast<std::uint64_t>(magnitude >> 64);
  if (high != 0 ||
      static_cast<unsigned>(std::bit_width(static_cast<std::uint64_t>(magnitude))) + piece->shift_ > 126)
    return gained < 0 ? Instant::min() : Instant::max();
  // The first x with floor(x * multiplier / 2^shift) >= gained is gained * 2^shift / multiplier, rounded up.
  const UnsignedWide scaled = magnitude << piece->shift_;
  const UnsignedWide elapsed =
      gained < 0 ? scaled / piece->multiplier_ : (scaled + (piece->multiplier_ - 1)) / piece->multiplier_;
  if (elapsed > static_cast<UnsignedWide>(std::numeric_limits<std::int64_t>::max()))
    return gained < 0 ? Instant::min() : Instant::max();
  const Wide time = gained < 0 ? piece->base_time_ - static_cast<Wide>(elapsed)
                               : piece->base_time_ + static_cast<Wide>(elapsed);
  if (time > std::numeric_limits<std::int64_t>::max()) return Instant::max();
  if (time < std::numeric_limits<std::int64_t>::min()) return Instant::min();
  return Instant(Duration(static_cast<std::int64_t>(time)));
}

}  // namespace sekisho::ratelimit
