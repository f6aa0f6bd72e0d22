#include "ratelimit/limiter.hpp"

#include <gtest/gtest.h>

#include <new>

namespace sekisho::ratelimit {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{std::chrono::hours(5)};
constexpr Key someone{0x123456789abcdef0, 42};
constexpr Key other{0xfedcba9876543210, 43};

int admitted(Limiter& limiter, Key key, Instant now, int tries) {
  int count = 0;
  for (int at = 0; at < tries; ++at) count += limiter.charge(key, now).admitted ? 1 : 0;
  return count;
}

TEST(Limiter, GivesTheBurstAtOnceAndThenTheRate) {
  Limiter limiter({10, 1s, 5}, 100, start);
  EXPECT_EQ(admitted(limiter, someone, start, 50), 5);
  EXPECT_EQ(admitted(limiter, someone, start + 99ms, 50), 0);
  EXPECT_EQ(admitted(limiter, someone, start + 101ms, 50), 1);
  EXPECT_EQ(admitted(limiter, someone, start + 1h, 50), 5) << "never more than the burst";
  EXPECT_EQ(admitted(limiter, other, start, 50), 5) << "each key has its own bucket";
}

TEST(Limiter, SaysWhatIsLeftAndWhen) {
  Limiter limiter({10, 1s, 5}, 100, start);
  const Decision first = limiter.charge(someone, start);
  EXPECT_TRUE(first.admitted);
  EXPECT_EQ(first.burst, 5U);
  EXPECT_EQ(first.remaining, 4U);
  EXPECT_EQ(first.retry_after, 0ns);
  EXPECT_GE(first.reset_after, 100ms);
  EXPECT_LT(first.reset_after, 101ms);
  admitted(limiter, someone, start, 4);
  const Decision refused = limiter.charge(someone, start);
  EXPECT_FALSE(refused.admitted);
  EXPECT_EQ(refused.remaining, 0U);
  EXPECT_GE(refused.reset_after, 500ms);
  EXPECT_LT(refused.reset_after, 501ms);
}

TEST(Limiter, RetryAfterIsTheVeryFirstInstantThatAdmits) {
  for (const Quota& quota : {Quota{7, 1s, 3}, Quota{1, 1h, 1}, Quota{1000, 1s, 20}, Quota{3, 7min, 4}}) {
    Limiter limiter(quota, 100, start);
    Instant now = start;
    while (limiter.charge(someone, now).admitted) continue;
    for (int round = 0; round < 100; ++round) {
      const Decision refused = limiter.peek(someone, now);
      ASSERT_FALSE(refused.admitted);
      ASSERT_GT(refused.retry_after, 0ns);
      ASSERT_FALSE(limiter.peek(someone, now + refused.retry_after - 1ns).admitted);
      now += refused.retry_after;
      ASSERT_TRUE(limiter.charge(someone, now).admitted);
    }
    const Decision after = limiter.peek(someone, now);
    EXPECT_EQ(limiter.peek(other, now).remaining, quota.burst - 1);
    EXPECT_EQ(limiter.peek(someone, now + after.reset_after).remaining, quota.burst - 1);
  }
}

TEST(Limiter, PeekAnswersAsChargeWouldAndChargesNothing) {
  Limiter limiter({10, 1s, 3}, 100, start);
  for (int round = 0; round < 5; ++round) {
    const Decision peeked = limiter.peek(someone, start);
    EXPECT_EQ(limiter.peek(someone, start).remaining, peeked.remaining);
    const Decision charged = limiter.charge(someone, start);
    EXPECT_EQ(peeked.admitted, charged.admitted);
    EXPECT_EQ(peeked.remaining, charged.remaining);
    EXPECT_EQ(peeked.retry_after, charged.retry_after);
    EXPECT_EQ(peeked.reset_after, charged.reset_after);
  }
}

TEST(Limiter, RefundGivesBackOnlyWhatTimeHasNot) {
  Limiter limiter({10, 1s, 3}, 100, start);
  admitted(limiter, someone, start, 3);
  limiter.refund(someone, start, start);
  EXPECT_EQ(admitted(limiter, someone, start, 3), 1);
  limiter.refund(someone, start, start + 1s);
  EXPECT_EQ(admitted(limiter, someone, start + 1s, 5), 3) << "a full bucket stays full";
  limiter.refund(other, start, start);
  EXPECT_EQ(admitted(limiter, other, start, 5), 3) << "an absent bucket is full";
}

TEST(Limiter, RescaleKeepsEveryBucketsTokens) {
  Limiter limiter({10, 1s, 10}, 100, start);
  admitted(limiter, someone, start, 8);
  const Quota slow{1, 10s, 10};
  ASSERT_FALSE(limiter.needs_room(slow, 100));
  limiter.rescale(slow, start + 500ms);
  EXPECT_EQ(limiter.quota(), slow);
  EXPECT_EQ(limiter.peek(someone, start + 501ms).remaining, 6U)
      << "2 were left, 5 came back, this would take 1";
  EXPECT_EQ(admitted(limiter, someone, start + 501ms, 50), 7);
  EXPECT_EQ(admitted(limiter, someone, start + 9s, 50), 0);
  EXPECT_EQ(admitted(limiter, someone, start + 11s, 50), 1);
  limiter.rescale({100, 1s, 2}, start + 11s);
  EXPECT_EQ(admitted(limiter, someone, start + 11s, 50), 0);
  EXPECT_EQ(Decision(limiter.peek(someone, start + 11s)).burst, 2U);
  EXPECT_EQ(admitted(limiter, someone, start + 11s + 200ms, 50), 2);
}

TEST(Limiter, AShrunkBurstDrainsAndAGrownOneIsThereAtOnce) {
  Limiter limiter({10, 1s, 100}, 100, start);
  admitted(limiter, someone, start, 100);
  limiter.rescale({10, 1s, 10}, start);
  const Decision refused = limiter.charge(someone, start);
  EXPECT_FALSE(refused.admitted);
  EXPECT_EQ(refused.remaining, 0U);
  EXPECT_GE(refused.retry_after, 9100ms);
  EXPECT_LT(refused.retry_after, 9102ms);
  limiter.rescale({10, 1s, 120}, start);
  EXPECT_EQ(admitted(limiter, someone, start, 100), 20);
}

TEST(Limiter, KnowsWhatNeedsAnotherTable) {
  const Limiter limiter({1000, 1s, 1000}, 100, start);
  EXPECT_FALSE(limiter.needs_room({100'000, 1s, 100'000}, 100));
  EXPECT_TRUE(limiter.needs_room({10'000'000, 1s, 1000}, 100));
  EXPECT_TRUE(limiter.needs_room({1000, 1s, 1'000'000'000}, 100));
  EXPECT_TRUE(limiter.needs_room({1000, 1s, 1000}, 101));
  EXPECT_FALSE(Limiter::representable({0, 1s, 1}));
  EXPECT_TRUE(Limiter::representable({10'000'000, 1s, 1000}));
  EXPECT_FALSE(Limiter::representable({100'000'000, 1s, 1000}));
}

TEST(Limiter, ARequestBeyondTheBurstWaitsForItsTurn) {
  Limiter limiter({10, 1s, 5, 300ms}, 100, start);
  for (int at = 0; at < 5; ++at) EXPECT_EQ(Decision(limiter.charge(someone, start)).wait, 0ns);
  for (int at = 1; at <= 3; ++at) {
    const Verdict verdict = limiter.charge(someone, start);
    EXPECT_TRUE(verdict.admitted && verdict.waits());
    EXPECT_EQ(verdict.remaining, 0U);
    const Decision decision = verdict;
    EXPECT_GE(decision.wait, 100ms * at);
    EXPECT_LT(decision.wait, 100ms * at + 1ms);
    EXPECT_EQ(decision.retry_after, 0ns);
  }
  const Decision refused = limiter.charge(someone, start);
  EXPECT_FALSE(refused.admitted);
  EXPECT_EQ(refused.wait, 0ns);
  EXPECT_GE(refused.retry_after, 100ms) << "then it would wait 300 ms";
  EXPECT_LT(refused.retry_after, 101ms);
  EXPECT_FALSE(limiter.peek(someone, start + refused.retry_after - 1ns).admitted);
  EXPECT_TRUE(limiter.peek(someone, start + refused.retry_after).admitted);
  EXPECT_EQ(admitted(limiter, someone, start + 1s, 50), 8) << "a burst, and those that would wait";
}

TEST(Limiter, AnOverdraftStopsAtAnotherBurst) {
  Limiter limiter({1, 1s, 3}, 100, start);
  for (int at = 0; at < 50; ++at) limiter.overdraw(someone, start);
  const Decision refused = limiter.peek(someone, start);
  EXPECT_FALSE(refused.admitted);
  EXPECT_GE(refused.retry_after, 4s);
  EXPECT_LT(refused.retry_after, 4001ms);
  EXPECT_EQ(admitted(limiter, someone, start + 3900ms, 9), 0);
  EXPECT_EQ(admitted(limiter, someone, start + 6001ms, 9), 3);
}

TEST(Limiter, TwoTurnsOfTheClockForgetNoDebtAndInventNone) {
  // About 2^18 units a second: the 36 bits come round in 73 hours.
  const Quota quota{4, 1s, 8};
  Limiter limiter(quota, 100, start);
  Instant now = start;
  int rounds = 0;
  for (const Instant end = start + 250h * 3; now < end; now += 7min + 13s, ++rounds) {
    ASSERT_EQ(admitted(limiter, someone, now, 12), 8) << rounds;
    ASSERT_EQ(admitted(limiter, someone, now + 1001ms, 12), 4) << rounds;
    if (rounds % 5 == 0) {
      ASSERT_EQ(admitted(limiter, Key{99, 99}, now, 12), 8);
    }
    limiter.sweep(now + 1s);
  }
  // Long idle without a sweep: whatever the word reads as, the bucket is full again before half a turn.
  ASSERT_EQ(admitted(limiter, other, now, 12), 8);
  for (Duration idle = 1min; idle < 30h; idle += 31min) {
    ASSERT_EQ(limiter.peek(other, now + idle).remaining, 7U);
  }
}

TEST(Limiter, SweepFreesWhatIsIdleAndCountsTheRest) {
  Limiter limiter({1, 1s, 10}, 1000, start);
  for (std::uint64_t at = 1; at <= 100; ++at) admitted(limiter, {at << 54, at}, start, at <= 50 ? 2 : 10);
  limiter.sweep(start);
  EXPECT_EQ(limiter.stats().live, 100U);
  limiter.sweep(start + 5s);
  EXPECT_EQ(limiter.stats().live, 50U);
  EXPECT_EQ(limiter.charge({std::uint64_t{100} << 54, 100}, start + 5s).remaining, 3U);
  limiter.sweep(start + 1min);
  EXPECT_EQ(limiter.stats().live, 0U);
}

TEST(Limiter, EvictsTheLeastDebtAndCountsIt) {
  Limiter limiter({1, 1h, 10}, 1, start);  // two lines of eight words
  const Key debtor{0, 1};
  EXPECT_EQ(admitted(limiter, debtor, start, 20), 10);
  for (std::uint64_t at = 2; at <= 16; ++at) EXPECT_EQ(admitted(limiter, {0, at}, start, 2), 2);
  EXPECT_EQ(limiter.stats().evictions, 0U) << "sixteen keys fill the two lines";
  for (std::uint64_t at = 17; at <= 1000; ++at) EXPECT_TRUE(limiter.charge({0, at}, start).admitted);
  EXPECT_FALSE(limiter.charge(debtor, start).admitted) << "the one in debt is still refused";
  const LimiterStats stats = limiter.stats();
  EXPECT_EQ(stats.evictions, 984U);
  EXPECT_EQ(stats.evicted_tokens, 2U + 983U) << "one of two tokens, then those of one";
}

TEST(Limiter, TakesItsWholeTableAtOnceOrSaysSo) {
  EXPECT_EQ(Limiter::bytes_for(262'144), 16U * 262'144);
  EXPECT_EQ(Limiter::bytes_for(5) % 64, 0U);
  EXPECT_THROW(Limiter({1, 1s, 1}, std::size_t{1} << 50, start), std::bad_alloc);
  EXPECT_THROW(Limiter({1, 1s, 1}, ~std::size_t{0}, start), std::bad_alloc);
}

}  // namespace
}  // namespace sekisho::ratelimit
