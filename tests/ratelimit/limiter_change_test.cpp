// Limiters that go over to another table: nobody gains a token by it, and the old memory goes.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <vector>

#include "ratelimit/limiter.hpp"
#include "tests/ratelimit/random.hpp"
#include "tests/ratelimit/threads.hpp"

namespace sekisho::ratelimit {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{std::chrono::hours(5)};

Key key_of(std::uint64_t number) {
  return {(number + 1) * 0x9e3779b97f4a7c15U, number + 1};
}

int admitted(Limiter& limiter, Key key, Instant now, int tries) {
  int count = 0;
  for (int at = 0; at < tries; ++at) count += limiter.charge(key, now).admitted ? 1 : 0;
  return count;
}

void change(Limiter& limiter, const Quota& quota, std::size_t capacity, Instant now) {
  ASSERT_TRUE(limiter.needs_room(quota, capacity));
  limiter.rescale(quota, capacity, now, Limiter::make_room(quota, capacity));
}

TEST(LimiterChange, AnotherCapacityKeepsEveryDebt) {
  const Quota quota{1, 1s, 10};
  for (const std::size_t capacity : {std::size_t{50}, std::size_t{100'000}}) {
    Limiter limiter(quota, 1000, start);
    for (std::uint64_t at = 0; at < 30; ++at) admitted(limiter, key_of(at), start, static_cast<int>(at % 11));
    change(limiter, quota, capacity, start);
    EXPECT_EQ(limiter.capacity(), capacity);
    EXPECT_EQ(limiter.stats().capacity, capacity);
    for (std::uint64_t at = 0; at < 30; ++at) {
      const int left = 10 - static_cast<int>(at % 11);
      EXPECT_EQ(limiter.peek(key_of(at), start).admitted, left > 0);
      EXPECT_EQ(admitted(limiter, key_of(at), start, 50), left) << at;
      EXPECT_EQ(admitted(limiter, key_of(at), start + 3s + 1ms, 50), 3) << at;
    }
  }
}

TEST(LimiterChange, ARateFarAwayKeepsEveryToken) {
  const Quota slow{10, 1h, 100}, fast{10'000'000, 1s, 100};
  Limiter limiter(slow, 100, start);
  EXPECT_EQ(admitted(limiter, key_of(1), start, 70), 70);
  change(limiter, fast, 100, start);
  EXPECT_EQ(admitted(limiter, key_of(1), start, 500), 30);
  EXPECT_EQ(admitted(limiter, key_of(1), start + 1001ns, 500), 10) << "ten a microsecond";
  EXPECT_EQ(admitted(limiter, key_of(2), start + 1us, 500), 100);
  change(limiter, slow, 100, start + 1us);
  EXPECT_EQ(admitted(limiter, key_of(2), start + 1us, 500), 0);
  EXPECT_EQ(admitted(limiter, key_of(2), start + 6min + 1s, 500), 1);
}

TEST(LimiterChange, DebtsPassThroughSeveralTables) {
  Quota quota{1, 1min, 20};
  Limiter limiter(quota, 100, start);
  EXPECT_EQ(admitted(limiter, key_of(1), start, 12), 12);
  change(limiter, quota, 200, start);
  EXPECT_EQ(admitted(limiter, key_of(2), start, 12), 12);
  change(limiter, {1000, 1min, 2'000'000'000}, 200, start);
  EXPECT_EQ(limiter.peek(key_of(1), start).remaining, 1'999'999'987U);
  change(limiter, quota, 200, start);
  EXPECT_EQ(admitted(limiter, key_of(1), start, 50), 8);
  EXPECT_EQ(admitted(limiter, key_of(2), start, 50), 8);
  EXPECT_EQ(admitted(limiter, key_of(3), start, 50), 20);
}

TEST(LimiterChange, TheTableBeforeGoesWhenNothingOfItIsOwed) {
  const Quota quota{1, 1s, 10};
  Limiter limiter(quota, 1000, start);
  admitted(limiter, key_of(1), start, 10);
  change(limiter, quota, 2000, start);
  ASSERT_TRUE(limiter.carries());
  limiter.sweep(start + 1s, start + 1s);  // from here on it is known that nobody begins to write to it
  limiter.sweep(start + 5s, start + 5s);
  EXPECT_TRUE(limiter.carries()) << "five seconds are owed still";
  limiter.sweep(start + 1min, start + 1s);
  EXPECT_TRUE(limiter.carries()) << "somebody may be writing to it still";
  limiter.sweep(start + 1min, start + 1s + 1ns);
  EXPECT_FALSE(limiter.carries());
  for (int at = 1; at < 4; ++at) limiter.sweep(start + at * 1h, start + at * 1h);
  EXPECT_EQ(admitted(limiter, key_of(1), start + 4h, 50), 10);
}

TEST(LimiterChange, EvictionsOfAllTablesAreCounted) {
  const Quota quota{1, 1h, 10};
  Limiter limiter(quota, 1, start);
  for (std::uint64_t at = 1; at <= 20; ++at) limiter.charge({0, at}, start);
  EXPECT_EQ(limiter.stats().evictions, 4U);
  change(limiter, quota, 100, start);
  EXPECT_EQ(limiter.stats().evictions, 4U);
  for (int at = 20; at < 25; ++at) limiter.sweep(start + at * 1h, start + at * 1h);
  EXPECT_FALSE(limiter.carries());
  EXPECT_EQ(limiter.stats().evictions, 4U);
  EXPECT_EQ(limiter.stats().evicted_tokens, 4U);
}

TEST(LimiterChange, ARefundAcrossAChangeGivesNothingBackTwice) {
  const Quota quota{1, 1h, 10};
  Limiter limiter(quota, 100, start);
  admitted(limiter, key_of(1), start, 10);
  change(limiter, quota, 200, start + 1s);
  limiter.refund(key_of(1), start, start + 2s);
  EXPECT_EQ(admitted(limiter, key_of(1), start + 2s, 9), 0) << "a charge of the table before stays";
}

TEST(LimiterChange, WhatWasForgivenIsNotCarriedOver) {
  const Quota quota{1, 1h, 3};
  Limiter limiter(quota, 100, start);
  for (const std::uint64_t at : {1U, 2U}) admitted(limiter, key_of(at), start, 3);
  limiter.forgive(key_of(1), start + 1s);
  EXPECT_EQ(admitted(limiter, key_of(1), start + 1s, 9), 3);
  EXPECT_EQ(admitted(limiter, key_of(2), start + 1s, 9), 0);
  change(limiter, quota, 1000, start + 2s);
  limiter.forgive(key_of(2), start + 3s);
  EXPECT_EQ(admitted(limiter, key_of(2), start + 3s, 9), 3);
}

TEST(LimiterChange, WhatWasForgivenStaysSoWhenItsIdleWordIsSweptAway) {
  const Quota quota{1, 1h, 3};
  Limiter limiter(quota, 100, start);
  admitted(limiter, key_of(1), start, 3);
  change(limiter, quota, 1000, start + 1s);
  change(limiter, quota, 2000, start + 2s);
  limiter.forgive(key_of(1), start + 3s);
  limiter.sweep(start + 10s);
  EXPECT_EQ(admitted(limiter, key_of(1), start + 10s, 9), 3);
}

// Threads that charge while tables of several sizes take each other's place and are freed: under a clock that
// gives nothing back everybody gets the burst, and all together no more beyond it than one charge of each
// thread at each change.
TEST(LimiterChange, ThreadsGainNothingAndReadNothingFreed) {
  constexpr int workers = 4;
  constexpr std::uint64_t keys = 64, burst = 1000, changes = 40;
  const Quota quota{1, 24h, burst};
  Limiter limiter(quota, 500, start);
  std::atomic<bool> over{false};
  std::vector<std::atomic<std::uint64_t>> got(keys);
  std::atomic<std::uint64_t> charges{0};
  test::together(workers + 1, [&](int number) {
    if (number == workers) {
      for (std::uint64_t at = 1; at <= changes; ++at) {
        for (const std::uint64_t before = charges.load(); charges.load() < before + 1000;)
          std::this_thread::yield();
        const std::size_t capacity = 400 + at % 3 * 100;
        limiter.rescale(quota, capacity, start, Limiter::make_room(quota, capacity));
        limiter.sweep(start, Instant::min());
      }
      over = true;
      return;
    }
    test::Random random(static_cast<std::uint64_t>(number));
    while (!over.load() || charges.load() < 4 * keys * burst) {
      const auto key = static_cast<std::uint64_t>(random(0, keys - 1));
      if (limiter.charge(key_of(key), start).admitted) got[key].fetch_add(1);
      charges.fetch_add(1);
    }
  });
  std::uint64_t beyond = 0;
  for (std::uint64_t key = 0; key < keys; ++key) {
    EXPECT_GE(got[key].load(), burst) << key;
    beyond += got[key].load() - std::min(got[key].load(), burst);
  }
  EXPECT_LE(beyond, changes * workers);
}

// Debts that last no longer than a few sweeps: tables come and go all the time under the threads' eyes.
TEST(LimiterChange, ThreadsReadNothingThatWasFreed) {
  constexpr int workers = 4;
  const Quota quota{1000, 1s, 5};
  Limiter limiter(quota, 100, start);
  std::array<std::atomic<std::int64_t>, workers> turns{};
  std::atomic<std::int64_t> clock{1};
  std::atomic<int> running{workers};
  constexpr std::uint64_t wanted = 3;
  std::atomic<std::uint64_t> changes{0};
  test::together(workers + 1, [&](int number) {
    if (number == workers) {
      for (std::size_t at = 0; running.load() > 0; ++at) {
        if (!limiter.carries()) {
          const std::size_t capacity = 100 + at % 2 * 100 + at % 7;
          if (limiter.needs_room(quota, capacity)) {
            limiter.rescale(quota, capacity, start + Duration(clock.load()),
                            Limiter::make_room(quota, capacity));
            changes.fetch_add(1);
          }
        }
        std::int64_t quiet = INT64_MAX / 2;
        for (const auto& turn : turns) quiet = std::min(quiet, turn.load(std::memory_order_acquire));
        limiter.sweep(start + Duration(clock.load()), start + Duration(quiet));
        std::this_thread::yield();
      }
      return;
    }
    std::atomic<std::int64_t>& turn = turns[static_cast<std::size_t>(number)];
    test::Random random(static_cast<std::uint64_t>(number));
    // The changing thread may be held up for as long as all these charges take: then they go on.
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    const auto go_on = [&](int at) {
      return at < test::scaled(400'000) ||
             (changes.load() < wanted && std::chrono::steady_clock::now() < deadline);
    };
    for (int at = 0; go_on(at); ++at) {
      const Instant now = start + Duration(clock.fetch_add(50'000));
      limiter.charge(key_of(static_cast<std::uint64_t>(random(0, 63))), now);
      turn.store(clock.load(), std::memory_order_release);
    }
    turn.store(INT64_MAX / 2, std::memory_order_release);
    running.fetch_sub(1);
  });
  EXPECT_GE(changes.load(), wanted) << "each found the table before the last one unlinked";
}

}  // namespace
}  // namespace sekisho::ratelimit
