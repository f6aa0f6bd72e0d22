#include "ratelimit/virtual_clock.hpp"

#include <gtest/gtest.h>

#include <deque>

#include "tests/ratelimit/random.hpp"

namespace sekisho::ratelimit {
namespace {

using namespace std::chrono_literals;
using test::Random;
__extension__ using Wide = __int128;

constexpr Instant start{std::chrono::hours(5)};

Quota any_quota(Random& random) {
  static const Duration periods[] = {1ms, 1s, 60s, 3600s, 24h};
  const std::int64_t count = std::int64_t{1} << random(0, 14);
  return {static_cast<std::uint64_t>(random(1, count)), periods[random(0, 4)],
          static_cast<std::uint64_t>(random(1, 1000))};
}

TEST(VirtualClock, IsNeverFasterThanTheQuotaAndHardlySlower) {
  for (const std::uint64_t seed : test::seeds(200)) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const Quota quota = any_quota(random);
    const unsigned bits = VirtualClock::fraction_bits_for(quota);
    const VirtualClock clock(quota, bits, start);
    for (int round = 0; round < 100; ++round) {
      const std::int64_t elapsed = random(0, Duration(std::chrono::hours(24 * 365)).count());
      const Wide exact =
          (static_cast<Wide>(elapsed) * static_cast<Wide>(quota.count) << bits) / quota.period.count();
      const Wide units = clock.at(start + Duration(elapsed));
      ASSERT_LE(units, exact);
      ASSERT_GE(units, exact - (exact >> 31) - 1);
    }
  }
}

TEST(VirtualClock, WhenIsTheVeryFirstInstant) {
  for (const std::uint64_t seed : test::seeds(200)) {
    SCOPED_TRACE(seed);
    Random random(seed);
    std::deque<VirtualClock> clocks;
    Quota quota = any_quota(random);
    clocks.emplace_back(quota, VirtualClock::fraction_bits_for(quota), start);
    Instant time = start;
    for (int bend = 0; bend < 5; ++bend) {
      const Quota next = any_quota(random);
      time += Duration(random(0, Duration(10s).count()));
      if (VirtualClock::fits(next, clocks.back().fraction_bits())) {
        clocks.push_back(clocks.back().bent(next, time));
      }
    }
    const VirtualClock& clock = clocks.back();
    for (int round = 0; round < 200; ++round) {
      const Instant asked = start + Duration(random(-Duration(5s).count(), Duration(60s).count()));
      const std::int64_t units = clock.at(asked) + random(-3, 100000);
      const Instant first = clock.when(units);
      ASSERT_GE(clock.at(first), units);
      ASSERT_LT(clock.at(first - 1ns), units);
    }
  }
}

TEST(VirtualClock, BendsAreContinuousAndKeepThePast) {
  const VirtualClock slow({10, 1s, 10}, 10, start);
  const VirtualClock fast = slow.bent({1000, 1s, 10}, start + 3s);
  const VirtualClock slower = fast.bent({1, 1s, 10}, start + 4s);
  for (Duration at = -2s; at <= 3s; at += 17ms) ASSERT_EQ(slower.at(start + at), slow.at(start + at));
  for (Duration at = 3s; at <= 4s; at += 17ms) ASSERT_EQ(slower.at(start + at), fast.at(start + at));
  EXPECT_NEAR(static_cast<double>(slower.at(start + 5s)), (30 + 1000 + 1) * 1024, 3);
  std::int64_t last = slower.at(start - 1s);
  for (Duration at = -1s; at <= 6s; at += 1ms) {
    ASSERT_GE(slower.at(start + at), last);
    last = slower.at(start + at);
  }
}

TEST(VirtualClock, BoundsTheRatesAndBurstsThatItCanHold) {
  EXPECT_FALSE(VirtualClock::fits({0, 1s, 1}, 0));
  EXPECT_FALSE(VirtualClock::fits({1, 0s, 1}, 0));
  EXPECT_FALSE(VirtualClock::fits({1, -1s, 1}, 0));
  EXPECT_FALSE(VirtualClock::fits({1, 1s, 0}, 0));
  EXPECT_TRUE(VirtualClock::fits({1U << 26, 1s, 1}, 0));
  EXPECT_FALSE(VirtualClock::fits({(1U << 26) + 1, 1s, 1}, 0));
  EXPECT_FALSE(VirtualClock::fits({1U << 26, 1s, 1}, 1));
  EXPECT_TRUE(VirtualClock::fits({1, 1s, std::uint64_t{1} << 31}, 1)) << "and as much again, overdrawn";
  EXPECT_FALSE(VirtualClock::fits({1, 1s, (std::uint64_t{1} << 31) + 1}, 1));
  EXPECT_TRUE(VirtualClock::fits({1000, 1s, 1, 3600s}, 1)) << "a wait is a debt like any other";
  EXPECT_FALSE(VirtualClock::fits({1000, 1s, 1, 3600s}, 16));
  EXPECT_FALSE(VirtualClock::fits({1, 1s, 1, -1s}, 0));
  EXPECT_FALSE(VirtualClock::fits({~std::uint64_t{0}, 1ns, 1}, 16));
  EXPECT_FALSE(VirtualClock::fits({1, Duration::max(), 2}, 0)) << "it would never fill";
}

TEST(VirtualClock, LeavesHeadRoomForChanges) {
  EXPECT_EQ(VirtualClock::fraction_bits_for({1, 1h, 1}), 16U);
  EXPECT_EQ(VirtualClock::fraction_bits_for({1000, 1s, 1}), 8U);
  EXPECT_EQ(VirtualClock::fraction_bits_for({100'000, 1s, 1}), 1U);
  EXPECT_EQ(VirtualClock::fraction_bits_for({1U << 26, 1s, 1}), 0U);
  for (const Quota& quota : {Quota{5, 1s, 20}, Quota{300, 1min, 300}, Quota{1000, 1s, 100'000}}) {
    const unsigned bits = VirtualClock::fraction_bits_for(quota);
    EXPECT_TRUE(VirtualClock::fits({quota.count * 128, quota.period, quota.burst * 128}, bits));
  }
}

TEST(VirtualClock, SaturatesWhereAnInstantEnds) {
  const VirtualClock clock({1, 24h * 365 * 100, 1}, 0, start);
  EXPECT_EQ(clock.when(1000), Instant::max());
  EXPECT_EQ(clock.when(std::numeric_limits<std::int64_t>::max()), Instant::max());
  EXPECT_LT(clock.when(1), Instant::max());
}

}  // namespace
}  // namespace sekisho::ratelimit
