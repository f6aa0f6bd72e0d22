// The limiter against real arithmetic: whatever the words and the clock round, no client may notice more than
// one request of it.
#include <gtest/gtest.h>

#include <vector>

#include "ratelimit/limiter.hpp"
#include "ratelimit/virtual_clock.hpp"
#include "tests/ratelimit/random.hpp"
#include "tests/ratelimit/rational_oracle.hpp"

namespace sekisho::ratelimit {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{std::chrono::hours(5)};
constexpr Key someone{0x123456789abcdef0, 42};

// Rates whose tokens are no whole number of nanoseconds or units, from one a day to a hundred thousand a
// second.
Quota any_quota(test::Random& random) {
  static const Duration periods[] = {1ms, 1s, 7s, 60s, 3600s, 24h};
  const std::int64_t most = std::int64_t{1} << random(0, 10);
  const Duration period = periods[random(0, 5)];
  return {static_cast<std::uint64_t>(random(1, period == 1ms ? std::min<std::int64_t>(most, 100) : most)),
          period, static_cast<std::uint64_t>(random(1, std::int64_t{1} << random(0, 8)))};
}

// From any moment at which both buckets are full, the counts differ by one at the most (what differed before
// that is forgotten, as full buckets are equal); and over no stretch of it does the limiter admit more than B
// + r * W and one unit of its clock, 2^-k of a token: a stretch may begin just before the clock ticks.
TEST(LimiterRational, CountsDifferByOneAtMostAndNeverExceedTheBound) {
  std::int64_t furthest = 0;
  for (const std::uint64_t seed : test::seeds(400)) {
    SCOPED_TRACE(seed);
    test::Random random(seed);
    const Quota quota = any_quota(random);
    Limiter limiter(quota, 10, start);
    test::RationalBucket exact(quota, start);
    test::RationalBucket bound(quota, start);
    const std::int64_t token = quota.period.count() / static_cast<std::int64_t>(quota.count);
    Instant now = start;
    std::int64_t ahead = 0;  // how many more real arithmetic has admitted
    for (int step = 0; step < 3000; ++step) {
      // Repeated stamps, stamps a nanosecond apart, the very instant of a token, and long pauses.
      const std::int64_t kind = random(0, 9);
      if (kind >= 3)
        now += Duration(kind == 3   ? 1
                        : kind == 4 ? token
                        : kind == 9 ? random(0, 50 * token)
                                    : random(0, token));
      if (exact.full(now) && limiter.peek(someone, now).remaining + 1 == quota.burst) ahead = 0;
      const bool admitted = limiter.charge(someone, now).admitted;
      ahead += (exact.charge(now) ? 1 : 0) - (admitted ? 1 : 0);
      furthest = std::max(furthest, std::abs(ahead));
      ASSERT_LE(std::abs(ahead), 1) << step;
      if (!admitted) continue;
      bound.force(now);
      ASSERT_FALSE(bound.overdrawn(now, VirtualClock::fraction_bits_for(quota))) << step;
    }
  }
  EXPECT_EQ(furthest, 1) << "that rounding never shows is too good to be true";
}

// A client that asks without end for a year of virtual time: what is lost to rounding does not add up.
TEST(LimiterRational, AYearOfAskingLosesOneRequestAtMost) {
  for (const Quota& quota : {Quota{7, 1s, 3}, Quota{1, 1h, 1}, Quota{1000, 60s, 20}, Quota{3, 7min, 4}}) {
    Limiter limiter(quota, 10, start);
    test::RationalBucket exact(quota, start);
    const Duration token = quota.period / static_cast<std::int64_t>(quota.count);
    Instant now = start;
    std::int64_t ahead = 0;
    const auto ask = [&] {
      ahead += (exact.charge(now) ? 1 : 0) - (limiter.charge(someone, now).admitted ? 1 : 0);
    };
    for (int step = 0; step < test::scaled(300'000) && now < start + 365 * 24h; ++step) {
      ask();
      ask();
      ASSERT_LE(std::abs(ahead), 1) << step;
      now += token * (step % 3) + 1ns;
      if (step % 1000 == 0) limiter.sweep(now);
      if (step % 5000 == 0) now += 365 * 24h / 100;
    }
  }
}

}  // namespace
}  // namespace sekisho::ratelimit
