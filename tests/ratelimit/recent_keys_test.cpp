#include "ratelimit/recent_keys.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/ratelimit/random.hpp"

namespace sekisho::ratelimit {
namespace {

using namespace std::chrono_literals;

constexpr Instant base{1000h};
// Of the sampled count, in parts of it: five times the standard error.
constexpr double sampled_error = 5 * 0.062;

Key key(std::uint64_t number, std::uint64_t secret = 7) {
  return KeyHasher({secret, 2})(0, {reinterpret_cast<const char*>(&number), sizeof number});
}

std::uint64_t count(const RecentKeys& set, Instant now) {
  const RecentKeys* one = &set;
  return RecentKeys::count({&one, 1}, now);
}

TEST(RecentKeys, CountsEachKeyOnce) {
  RecentKeys set;
  EXPECT_EQ(count(set, base), 0u);
  for (int round = 0; round < 5; ++round) {
    for (std::uint64_t number = 0; number < 64; ++number) set.add(key(number), base + round * 1min);
  }
  EXPECT_EQ(count(set, base + 4min), 64u);
}

TEST(RecentKeys, IsExactUpToItsSize) {
  RecentKeys set;
  for (std::uint64_t number = 0; number < RecentKeys::exact_keys; ++number) {
    set.add(key(number), base);
    ASSERT_EQ(count(set, base), number + 1);
  }
}

TEST(RecentKeys, AKeyLeavesFiveMinutesAfterItCameLast) {
  RecentKeys set;
  set.add(key(1), base);
  set.add(key(2), base + 1min);
  set.add(key(1), base + 2min);
  EXPECT_EQ(count(set, base + 6min), 2u);
  EXPECT_EQ(count(set, base + 6min + RecentKeys::slice), 1u);
  EXPECT_EQ(count(set, base + 7min), 1u);
  EXPECT_EQ(count(set, base + 7min + RecentKeys::slice), 0u);
  EXPECT_EQ(count(set, base + 100h), 0u);
}

// Whatever the time within a slice: never before five minutes are over, always a slice later.
TEST(RecentKeys, NeverLeavesEarlyNorStaysLonger) {
  for (int second = 0; second < 20; ++second) {
    const Instant came = base + second * 1s;
    for (const bool others_come : {false, true}) {
      RecentKeys set;
      set.add(key(1), came);
      if (others_come) set.add(key(2), came + 4min);
      EXPECT_EQ(count(set, came + 5min - 1ns), others_come ? 2u : 1u);
      if (others_come) set.add(key(2), came + 5min + RecentKeys::slice);
      EXPECT_EQ(count(set, came + 5min + RecentKeys::slice), others_come ? 1u : 0u);
    }
  }
}

// The slice's number comes round after 43 minutes; what is older than that has long been dropped.
TEST(RecentKeys, AnOldKeyIsNotTakenForANewOne) {
  for (const auto later :
       {256 * RecentKeys::slice, 256 * RecentKeys::slice + 1min, RecentKeys::slice * 512}) {
    RecentKeys set;
    set.add(key(1), base);
    EXPECT_EQ(count(set, base + later), 0u);
    set.add(key(2), base + later);
    EXPECT_EQ(count(set, base + later), 1u);
  }
}

TEST(RecentKeys, AKeyOfSeveralSetsCountsOnce) {
  RecentKeys first, second, idle;
  for (std::uint64_t number = 0; number < 300; ++number) first.add(key(number), base);
  for (std::uint64_t number = 200; number < 500; ++number) second.add(key(number), base + 10s);
  const RecentKeys* sets[] = {&first, &second, &idle};
  EXPECT_EQ(RecentKeys::count(sets, base + 10s), 500u);
  EXPECT_EQ(RecentKeys::count({}, base), 0u);
}

TEST(RecentKeys, AgreesWithAnExactCountWhileFewCome) {
  for (const std::uint64_t seed : test::seeds(10)) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    test::Random random(seed);
    RecentKeys sets[2];
    const RecentKeys* both[] = {&sets[0], &sets[1]};
    std::map<std::uint64_t, std::int64_t> last;  // by number: the slice in which it came last
    Instant now = base;
    for (int turn = 0; turn < 4000; ++turn) {
      now += Duration(random(0, random.one_in(200) ? 400'000'000'000 : 2'000'000'000));
      const auto number = static_cast<std::uint64_t>(random(0, 300));
      const std::int64_t slice = now.time_since_epoch() / RecentKeys::slice;
      sets[random(0, 1)].add(key(number), now);
      last[number] = slice;
      if (turn % 50 != 0) continue;
      std::uint64_t expected = 0;
      for (const auto& [each, came] : last) expected += slice - came <= 30 ? 1 : 0;
      ASSERT_EQ(RecentKeys::count(both, now), expected) << turn;
    }
  }
}

TEST(RecentKeys, EstimatesMany) {
  double squares = 0;
  int runs = 0;
  for (const std::uint64_t many : {385, 500, 1000, 5000, 40'000, 300'000}) {
    for (std::uint64_t secret = 1; secret <= 10; ++secret) {
      RecentKeys set;
      const std::uint64_t number = many / (test::sanitized && many > 10'000 ? 10 : 1);
      for (std::uint64_t each = 0; each < number; ++each) set.add(key(each, secret), base);
      const double share = static_cast<double>(count(set, base)) / static_cast<double>(number);
      EXPECT_NEAR(share, 1, sampled_error) << number;
      squares += (share - 1) * (share - 1);
      ++runs;
    }
  }
  EXPECT_LE(std::sqrt(squares / runs), 0.08);
}

TEST(RecentKeys, EstimatesManyOfSeveralSets) {
  RecentKeys sets[3];
  for (std::uint64_t each = 0; each < 30'000; ++each) {
    sets[0].add(key(each), base);
    if (each < 6'000) sets[1].add(key(100'000 + each), base);
    if (each < 100) sets[2].add(key(200'000 + each), base);
  }
  const RecentKeys* all[] = {&sets[0], &sets[1], &sets[2]};
  EXPECT_NEAR(static_cast<double>(RecentKeys::count(all, base)), 36'100, 36'100 * sampled_error);
}

TEST(RecentKeys, EstimatesAFloodThatLasts) {
  RecentKeys set;
  for (int minute = 0; minute < 15; ++minute) {
    const Instant now = base + minute * 1min;
    for (std::uint64_t each = 0; each < 3'000; ++each) set.add(key(each), now);
    EXPECT_NEAR(static_cast<double>(count(set, now)), 3'000, 3'000 * sampled_error) << minute;
  }
}

// Keys that were left out during a flood make the figure an estimate until they would have left anyway; then
// it is exact again, and so it is while a few of those clients stay.
TEST(RecentKeys, IsExactAgainAfterAFlood) {
  RecentKeys set;
  for (std::uint64_t each = 0; each < 50'000; ++each) set.add(key(each), base);
  for (int second = 0; second <= 900; ++second) {
    for (std::uint64_t each = 0; each < 50; ++each) set.add(key(each), base + second * 1s);
    if (second == 60) {
      EXPECT_NEAR(static_cast<double>(count(set, base + 60s)), 50'000, 50'000 * sampled_error);
    }
  }
  EXPECT_EQ(count(set, base + 900s), 50u);
}

TEST(RecentKeys, IsReadWhileItIsWritten) {
  RecentKeys sets[2];
  const RecentKeys* all[] = {&sets[0], &sets[1]};
  std::atomic<bool> stopping{false};
  std::atomic<int> rounds{0};
  std::vector<std::thread> writers;
  // Each comes back to 100 keys of its own over and over, while its clock runs through slice after slice.
  for (std::uint64_t writer = 0; writer < 2; ++writer) {
    RecentKeys& set = sets[writer];
    std::vector<Key> keys;
    for (std::uint64_t each = 0; each < 100; ++each) keys.push_back(key(100 * writer + each));
    for (const Key each : keys) set.add(each, base);
    writers.emplace_back([&, keys] {
      Instant now = base;
      while (!stopping) {
        for (const Key each : keys) set.add(each, now);
        // Not so fast that the reader, ten times slower under a sanitizer, is overtaken at each of its tries.
        now += RecentKeys::slice / (test::sanitized ? 32 : 4);
        ++rounds;
      }
    });
  }
  const int enough = test::scaled(50'000);
  for (int reads = 0; reads < enough || rounds < enough; ++reads) {
    const std::uint64_t seen = RecentKeys::count(all, base);
    EXPECT_EQ(seen, 200u) << "keys that never leave are there at any moment";
    if (seen != 200) break;
  }
  stopping = true;
  for (std::thread& writer : writers) writer.join();
}

TEST(RecentKeys, IsSmall) {
  EXPECT_LE(sizeof(RecentKeys), 4300u);
}

}  // namespace
}  // namespace sekisho::ratelimit
