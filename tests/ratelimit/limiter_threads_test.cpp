#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <map>
#include <vector>

#include "ratelimit/atomics.hpp"
#include "ratelimit/buckets.hpp"
#include "ratelimit/limiter.hpp"
#include "tests/ratelimit/random.hpp"
#include "tests/ratelimit/threads.hpp"

namespace sekisho::ratelimit {
namespace {

using namespace std::chrono_literals;
using test::scaled;
using test::together;

constexpr Instant start{std::chrono::hours(5)};
constexpr int threads = 8;

// Hashes as a keyed hash would give them, with a tag of its own for every key.
Key key_of(std::uint64_t number) {
  return {(number + 1) * 0x9e3779b97f4a7c15U, number + 1};
}

std::map<std::uint64_t, int> members_by_tag(const Buckets<StdAtomics>& buckets) {
  std::map<std::uint64_t, int> members;
  for (const std::uint64_t seen : buckets.table().words()) {
    EXPECT_FALSE(word::is_claim(seen)) << "a claim was left behind";
    if (seen != word::empty) ++members[word::tag(seen)];
  }
  return members;
}

// T3.
TEST(LimiterThreads, AFrozenClockAdmitsExactlyTheBurst) {
  for (const std::uint64_t burst : {1U, 2U, 7U, 1000U, 20000U}) {
    Limiter limiter({1, 1h, burst}, 100, start);
    std::atomic<std::uint64_t> admitted{0};
    together(threads, [&](int) {
      for (std::uint64_t at = 0; at < burst; ++at) {
        if (limiter.charge(key_of(7), start).admitted) admitted.fetch_add(1);
      }
    });
    EXPECT_EQ(admitted.load(), burst);
  }
}

// All threads meet each key as a fresh one: a second member would admit a second burst.
TEST(LimiterThreads, AFreshKeyGetsOneMember) {
  constexpr std::uint64_t burst = 5;
  const auto keys = static_cast<std::uint64_t>(scaled(100'000));
  Buckets<StdAtomics> buckets(keys * 2);
  std::vector<std::atomic<std::uint64_t>> admitted(keys);
  together(threads, [&](int) {
    for (std::uint64_t at = 0; at < keys; ++at) {
      for (int tries = 0; tries < 3; ++tries) {
        if (buckets.charge(key_of(at), 0, 1, burst, 0).admitted)
          admitted[at].fetch_add(1, std::memory_order_relaxed);
      }
    }
  });
  ASSERT_EQ(buckets.evicted().buckets, 0U);
  for (std::uint64_t at = 0; at < keys; ++at) ASSERT_EQ(admitted[at].load(), burst) << at;
  const auto members = members_by_tag(buckets);
  ASSERT_EQ(members.size(), keys);
  for (const auto& [tag, count] : members) ASSERT_EQ(count, 1) << tag;
}

// The densest crowd: sixteen words, so that every claim meets every other, over and over as the keys go idle.
TEST(LimiterThreads, AFreshKeyGetsOneMemberInACrowdOfClaims) {
  constexpr std::uint64_t burst = 2;
  constexpr std::uint64_t keys = 6;
  for (int round = 0; round < scaled(300); ++round) {
    Buckets<StdAtomics> buckets(1);
    std::array<std::atomic<std::uint64_t>, keys> admitted{};
    together(4, [&](int number) {
      for (std::uint64_t at = 0; at < keys; ++at) {
        const std::uint64_t key = number % 2 == 0 ? at : keys - 1 - at;
        if (buckets.charge(key_of(key), 0, 1, burst, 0).admitted) admitted[key].fetch_add(1);
        if (number == 3) buckets.sweep(0, 0);  // kills claims
      }
    });
    for (std::uint64_t at = 0; at < keys; ++at) ASSERT_EQ(admitted[at].load(), burst);
    for (const auto& [tag, count] : members_by_tag(buckets)) ASSERT_EQ(count, 1) << tag;
  }
}

// Under a frozen clock every token admitted is either owed by a member or was evicted and counted: none is
// lost.
TEST(LimiterThreads, TokensAreConservedThroughEvictions) {
  constexpr std::uint64_t burst = 4;
  constexpr std::uint64_t keys = 40;
  Buckets<StdAtomics> buckets(1);
  std::atomic<std::uint64_t> admitted{0};
  std::atomic<int> running{threads};
  together(threads + 1, [&](int number) {
    if (number == threads) {
      while (running.load() > 0) buckets.sweep(0, 0);
      return;
    }
    test::Random random(static_cast<std::uint64_t>(number));
    std::uint64_t mine = 0;
    for (int at = 0; at < scaled(60'000); ++at) {
      mine += buckets.charge(key_of(static_cast<std::uint64_t>(random(0, keys - 1))), 0, 1, burst, 0).admitted
                  ? 1
                  : 0;
    }
    admitted.fetch_add(mine);
    running.fetch_sub(1);
  });
  std::uint64_t owed = 0;
  for (const std::uint64_t seen : buckets.table().words()) owed += Gcra::debt(word::value(seen), 0);
  EXPECT_GT(buckets.evicted().buckets, 0U);
  EXPECT_EQ(admitted.load(), owed + buckets.evicted().units);
  for (const auto& [tag, count] : members_by_tag(buckets)) EXPECT_EQ(count, 1) << tag;
}

// Reloads, sweeps and refunds beside the charges: over the whole run no more than the sum of its parts.
TEST(LimiterThreads, ReloadsUnderLoadKeepTheBound) {
  Limiter limiter({1000, 1s, 50}, 100, start);
  std::atomic<std::int64_t> clock{0};
  std::atomic<int> running{threads};
  std::atomic<std::uint64_t> admitted{0};
  together(threads + 1, [&](int number) {
    if (number == threads) {
      for (std::uint64_t at = 0; running.load() > 0; ++at) {
        const Instant now = start + Duration(clock.load());
        limiter.rescale({at % 2 == 0 ? 500U : 1000U, 1s, 40 + at % 11}, now);
        limiter.sweep(now);
        std::this_thread::yield();
        if (at == 2000) break;
      }
      return;
    }
    for (int at = 0; at < scaled(50'000); ++at) {
      const Instant now = start + Duration(clock.fetch_add(5000));
      if (!limiter.charge(key_of(1), now).admitted) continue;
      if (at % 3 == 0) {
        limiter.refund(key_of(1), now, now);
      } else {
        admitted.fetch_add(1);
      }
    }
    running.fetch_sub(1);
  });
  const std::uint64_t seconds = static_cast<std::uint64_t>(clock.load()) / 1'000'000'000 + 1;
  EXPECT_LE(admitted.load(), 50 + 1000 * seconds + 1);
  EXPECT_GT(admitted.load(), 0U);
}

}  // namespace
}  // namespace sekisho::ratelimit
