#include "ratelimit/in_flight.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <vector>

#include "tests/ratelimit/random.hpp"
#include "tests/ratelimit/threads.hpp"

namespace sekisho::ratelimit {
namespace {

constexpr Key someone{0x123456789abcdef0, 42};

TEST(InFlight, CountsUpToTheBoundAndBack) {
  InFlight in_flight(100);
  std::vector<Lease> leases;
  for (int at = 0; at < 3; ++at) {
    auto lease = in_flight.acquire(someone, 3);
    ASSERT_TRUE(lease);
    leases.push_back(std::move(*lease));
  }
  EXPECT_FALSE(in_flight.acquire(someone, 3));
  EXPECT_TRUE(in_flight.acquire({5, 5}, 3)) << "each key has its own count";
  EXPECT_EQ(in_flight.count(someone), 3U);
  leases.pop_back();
  EXPECT_EQ(in_flight.count(someone), 2U);
  EXPECT_TRUE(in_flight.acquire(someone, 3));
  leases.clear();
  EXPECT_EQ(in_flight.count(someone), 0U);
  EXPECT_FALSE(in_flight.acquire(someone, 0));
}

TEST(InFlight, ALeaseIsGivenBackOnce) {
  InFlight in_flight(100);
  Lease lease = *in_flight.acquire(someone, 9);
  Lease moved = std::move(lease);
  EXPECT_TRUE(moved.held());
  EXPECT_EQ(in_flight.count(someone), 1U);
  moved.release();
  moved.release();
  EXPECT_FALSE(moved.held());
  EXPECT_EQ(in_flight.count(someone), 0U);
  moved = *in_flight.acquire(someone, 9);
  moved = *in_flight.acquire({5, 5}, 9);
  EXPECT_EQ(in_flight.count(someone), 0U);
}

TEST(InFlight, RefusesWhenFullAndReusesWhatIsIdle) {
  InFlight in_flight(1);  // sixteen words
  std::vector<Lease> leases;
  for (std::uint64_t at = 1; at <= 16; ++at) leases.push_back(*in_flight.acquire({0, at}, 9));
  EXPECT_FALSE(in_flight.acquire({0, 17}, 9));
  EXPECT_TRUE(in_flight.acquire({0, 3}, 9)) << "those inside are not affected";
  leases.erase(leases.begin());
  EXPECT_TRUE(in_flight.acquire({0, 17}, 9));
}

TEST(InFlight, AResizeGoesOnCountingWhatIsInProgress) {
  const Instant start{std::chrono::hours(5)};
  const auto after = [&](int seconds) { return start + std::chrono::seconds(seconds); };
  InFlight in_flight(100);
  std::vector<Lease> leases;
  for (int at = 0; at < 2; ++at) leases.push_back(*in_flight.acquire(someone, 3));
  in_flight.resize(InFlight::make_room(1000));
  EXPECT_EQ(in_flight.capacity(), 1000U);
  EXPECT_EQ(in_flight.count(someone), 2U);
  leases.push_back(*in_flight.acquire(someone, 3));
  EXPECT_FALSE(in_flight.acquire(someone, 3));
  in_flight.sweep(after(1), after(1));
  leases.erase(leases.begin());
  EXPECT_EQ(in_flight.count(someone), 2U) << "a place of before was given back";
  in_flight.sweep(after(2), after(2));
  leases.erase(leases.begin());
  EXPECT_EQ(in_flight.count(someone), 1U);
  in_flight.resize(InFlight::make_room(10));
  in_flight.sweep(after(4), after(4));  // of three tables the oldest is empty
  in_flight.sweep(after(5), after(5));
  EXPECT_EQ(in_flight.count(someone), 1U);
  leases.clear();
  EXPECT_EQ(in_flight.count(someone), 0U);
  in_flight.sweep(after(6), after(6));
  in_flight.sweep(after(7), after(7));
  EXPECT_TRUE(in_flight.acquire(someone, 1));
}

TEST(InFlight, ThreadsNeverExceedTheBoundAndLeaveNothing) {
  constexpr std::uint64_t keys = 12;
  constexpr int most = 3;
  InFlight in_flight(16);
  std::array<std::atomic<int>, keys> inside{};
  std::atomic<bool> exceeded{false};
  test::together(6, [&](int number) {
    test::Random random(static_cast<std::uint64_t>(number));
    for (int round = 0; round < test::scaled(50'000); ++round) {
      const auto at = static_cast<std::size_t>(random(0, keys - 1));
      auto lease = in_flight.acquire({0, at + 1}, most);
      if (!lease) continue;
      if (inside[at].fetch_add(1) + 1 > most) exceeded = true;
      inside[at].fetch_sub(1);
    }
  });
  EXPECT_FALSE(exceeded.load());
  for (std::uint64_t at = 0; at < keys; ++at) EXPECT_EQ(in_flight.count({0, at + 1}), 0U);
}

}  // namespace
}  // namespace sekisho::ratelimit
