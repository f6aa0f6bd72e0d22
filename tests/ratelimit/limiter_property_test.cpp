// The theorems of docs/limiter.md on random traces.
#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <optional>
#include <vector>

#include "ratelimit/atomics.hpp"
#include "ratelimit/buckets.hpp"
#include "ratelimit/limiter.hpp"
#include "ratelimit/virtual_clock.hpp"
#include "tests/ratelimit/oracle.hpp"
#include "tests/ratelimit/random.hpp"

namespace sekisho::ratelimit {
namespace {

using namespace std::chrono_literals;
using test::Oracle;
using test::Random;

constexpr Instant start{std::chrono::hours(5)};

Quota any_quota(Random& random) {
  static const Duration periods[] = {100ms, 1s, 60s, 3600s};
  return {static_cast<std::uint64_t>(random(1, 300)), periods[random(0, 3)],
          static_cast<std::uint64_t>(random(1, 40))};
}

// A quota far from the last one, so that the units of the clock do not hold it.
Quota far_quota(Random& random) {
  return random.one_in(2) ? Quota{static_cast<std::uint64_t>(random(1, 9)) * 1'000'000, 1s,
                                  static_cast<std::uint64_t>(random(1, 40))}
                          : Quota{static_cast<std::uint64_t>(random(100, 300)), 3600s,
                                  static_cast<std::uint64_t>(random(1, 40)) * 1'000'000};
}

// What the oracle's clock and buckets become in the units of another cut, rounded up.
std::int64_t converted(std::int64_t debt, unsigned from, unsigned to) {
  if (to >= from) return debt << (to - from);
  return (debt + (std::int64_t{1} << (from - to)) - 1) >> (from - to);
}

// Skewed stamps out of order, changed rates, bursts and capacities, changes that need another table, refunds
// and sweeps: every verdict and every number equals the oracle's.
TEST(LimiterProperty, AgreesWithTheOracle) {
  int others = 0;
  for (const std::uint64_t seed : test::seeds(300)) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Quota quota = any_quota(random);
    std::size_t capacity = 1000;
    Limiter limiter(quota, capacity, start);
    unsigned bits = VirtualClock::fraction_bits_for(quota);
    std::deque<VirtualClock> clocks{VirtualClock(quota, bits, start)};
    std::array<Oracle, 5> oracles;
    std::array<std::optional<Instant>, 5> charged;
    Instant time = start, since = start;
    for (int step = 0; step < 500; ++step) {
      const std::int64_t token = std::int64_t{1} << bits;
      const std::int64_t pace = quota.period.count() / static_cast<std::int64_t>(quota.count);
      time += Duration(random(0, random.one_in(20) ? 60 * pace : pace));
      const Instant now = std::max(since, time - Duration(random(0, Duration(900ms).count())));
      const auto who = static_cast<std::size_t>(random(0, 4));
      const Key key{static_cast<std::uint64_t>(who) << 61, who + 1};
      const std::int64_t units = clocks.back().at(now);
      const std::int64_t burst = static_cast<std::int64_t>(quota.burst) * token;
      if (random.one_in(30)) {
        Quota next = random.one_in(4) ? far_quota(random) : any_quota(random);
        if (random.one_in(2)) next.burst = quota.burst;
        if (random.one_in(2)) next = {quota.count, quota.period, next.burst};
        if (!Limiter::representable(next)) continue;
        const std::size_t size = random.one_in(4) ? static_cast<std::size_t>(random(500, 2000)) : capacity;
        const bool another = size != capacity || !VirtualClock::fits(next, bits) ||
                             bits < std::min(8U, VirtualClock::fraction_bits_for(next));
        ASSERT_EQ(limiter.needs_room(next, size), another);
        if (another) {
          ++others;
          const unsigned cut = VirtualClock::fraction_bits_for(next);
          for (Oracle& oracle : oracles)
            oracle = Oracle(converted(oracle.debt(clocks.back().at(time)), bits, cut));
          clocks.emplace_back(next, cut, time);
          bits = cut;
          since = time;
          charged = {};
        } else if (next.count != quota.count || next.period != quota.period) {
          clocks.push_back(clocks.back().bent(next, time));
        }
        limiter.rescale(quota = next, capacity = size, time,
                        another ? Limiter::make_room(next, size) : nullptr);
      } else if (random.one_in(10)) {
        limiter.sweep(time, random.one_in(2) ? Instant::min() : time + 1ns);
      } else if (random.one_in(6) && charged[who]) {
        oracles[who].refund(clocks.back().at(*charged[who]), units, token);
        limiter.refund(key, *charged[who], now);
        charged[who].reset();
      } else {
        const std::int64_t before = oracles[who].debt(units);
        const bool admitted = oracles[who].charge(units, token, burst);
        const Decision decision = limiter.charge(key, now);
        ASSERT_EQ(decision.admitted, admitted) << step;
        const std::int64_t after = oracles[who].debt(units);
        ASSERT_EQ(decision.remaining,
                  static_cast<std::uint64_t>(std::max<std::int64_t>(0, burst - after) / token));
        ASSERT_GE(clocks.back().at(now + decision.reset_after), units + after);
        if (after > 0) {
          ASSERT_LT(clocks.back().at(now + decision.reset_after - 1ns), units + after);
        }
        if (admitted) {
          charged[who] = now;
        } else {
          const std::int64_t enough = units + before + token - burst;
          ASSERT_GE(clocks.back().at(now + decision.retry_after), enough);
          ASSERT_LT(clocks.back().at(now + decision.retry_after - 1ns), enough);
        }
      }
    }
  }
  EXPECT_GT(others, 50) << "or changes of tables were not tried";
}

struct Admission {
  std::int64_t units;
  std::int64_t cost;
};

std::uint64_t stamp(std::int64_t units) {
  return static_cast<std::uint64_t>(units);
}

constexpr Key someone{0x123456789abcdef0, 42};

// T1 and T2 by their definition, over every window: with stamps in order a request is admitted if and only if
// no window that it ends would hold more than the burst and what the window's length gives back.
TEST(LimiterProperty, AdmitsExactlyWhatEveryWindowAllows) {
  for (const std::uint64_t seed : test::seeds(300)) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Buckets<StdAtomics> buckets(10);
    const std::int64_t burst = random(1, 200);
    std::vector<Admission> admissions;
    std::int64_t now = random(-1000, 1000);
    for (int step = 0; step < 150; ++step) {
      now += random(0, random.one_in(10) ? 3 * burst : burst / 4 + 1);
      const std::int64_t cost = random(1, burst);
      bool allowed = true;
      std::int64_t sum = cost;
      for (auto earlier = admissions.rbegin(); earlier != admissions.rend(); ++earlier) {
        sum += earlier->cost;
        allowed = allowed && sum <= burst + now - earlier->units;
      }
      const auto outcome = buckets.charge(someone, stamp(now), stamp(cost), stamp(burst), stamp(now - 10));
      ASSERT_EQ(outcome.admitted, allowed) << step;
      if (allowed) admissions.push_back({now, cost});
    }
  }
}

// T1 with stamps out of order: from any admission to any later one, by their own stamps.
TEST(LimiterProperty, NoWindowHoldsMoreThanItsBoundHoweverTheStampsAreSkewed) {
  for (const std::uint64_t seed : test::seeds(300)) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Buckets<StdAtomics> buckets(10);
    const std::int64_t burst = random(1, 200);
    std::vector<Admission> admissions;
    std::int64_t time = 0;
    for (int step = 0; step < 300; ++step) {
      time += random(0, burst / 4 + 1);
      const std::int64_t now = time - random(0, burst);
      const std::int64_t cost = random(1, burst);
      if (random.one_in(20)) buckets.sweep(stamp(time), stamp(time - burst));
      if (!buckets.charge(someone, stamp(now), stamp(cost), stamp(burst), stamp(now - burst)).admitted)
        continue;
      admissions.push_back({now, cost});
      std::int64_t sum = 0;
      for (auto earlier = admissions.rbegin(); earlier != admissions.rend(); ++earlier) {
        sum += earlier->cost;
        ASSERT_LE(sum, burst + now - earlier->units) << step;
      }
    }
  }
}

// T5: after a charge and its refund the bucket owes no less than its twin that never saw the request.
TEST(LimiterProperty, ARefundNeverLeavesTheBucketBetterOff) {
  for (const std::uint64_t seed : test::seeds(2000)) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Buckets<StdAtomics> buckets(10);
    Buckets<StdAtomics> twin(10);
    const std::int64_t burst = random(1, 100);
    std::int64_t now = 0;
    const auto others = [&] {
      for (std::int64_t left = random(0, 6); left > 0; --left) {
        now += random(0, burst / 3 + 1);
        const std::uint64_t cost = stamp(random(1, burst));
        if (!buckets.charge(someone, stamp(now), cost, stamp(burst), stamp(now)).admitted) continue;
        ASSERT_TRUE(twin.charge(someone, stamp(now), cost, stamp(burst), stamp(now)).admitted);
      }
    };
    others();
    const std::int64_t charged_at = now;
    const std::int64_t cost = random(1, burst);
    if (!buckets.charge(someone, stamp(now), stamp(cost), stamp(burst), stamp(now)).admitted) continue;
    others();
    now += random(0, burst);
    const std::int64_t amount = std::max<std::int64_t>(0, cost - (now - charged_at));
    buckets.refund(someone, stamp(now), stamp(amount), stamp(now));
    ASSERT_GE(buckets.peek(someone, stamp(now), 0, stamp(burst)).debt,
              twin.peek(someone, stamp(now), 0, stamp(burst)).debt);
  }
}

// T6 and idle is absent: a twin that is never swept, and one that is told its own quota again, decide the
// same.
TEST(LimiterProperty, SweepsAndReloadsOfTheSameQuotaChangeNoVerdict) {
  for (const std::uint64_t seed : test::seeds(100)) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const Quota quota = any_quota(random);
    Limiter limiter(quota, 100, start);
    Limiter twin(quota, 100, start);
    Instant now = start;
    const std::int64_t pace = quota.period.count() / static_cast<std::int64_t>(quota.count);
    for (int step = 0; step < 500; ++step) {
      now += Duration(random(0, 2 * pace));
      if (random.one_in(5)) limiter.sweep(now);
      if (random.one_in(5)) limiter.rescale(quota, now);
      const Decision left = limiter.charge(someone, now);
      const Decision right = twin.charge(someone, now);
      ASSERT_EQ(left.admitted, right.admitted);
      ASSERT_EQ(left.retry_after, right.retry_after);
      ASSERT_EQ(left.reset_after, right.reset_after);
    }
  }
}

}  // namespace
}  // namespace sekisho::ratelimit
