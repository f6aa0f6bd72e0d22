#include "ratelimit/gcra.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <utility>

namespace sekisho::ratelimit {
namespace {

// Six bits of value, debts to 16: small enough to try everything, the clock's wrap included.
using Narrow = BasicGcra<6, 4>;
constexpr std::int64_t range = 64;
constexpr std::int64_t half = range / 2;

std::uint64_t wrapped(std::int64_t units) {
  return static_cast<std::uint64_t>(units) & Narrow::mask;
}

TEST(Gcra, DistanceIsTheNearestWayRound) {
  for (std::int64_t now = 0; now < 2 * range; ++now) {
    for (std::int64_t ahead = -half; ahead < half; ++ahead) {
      ASSERT_EQ(Narrow::distance(wrapped(now + ahead), wrapped(now)), ahead);
    }
  }
}

TEST(Gcra, EveryBucketAtEveryTimeDecidesAsInPlainIntegers) {
  for (std::int64_t now = 0; now < 2 * range; ++now) {
    for (std::int64_t ahead = -half; ahead < half; ++ahead) {
      const std::uint64_t debt = Narrow::debt(wrapped(now + ahead), wrapped(now));
      ASSERT_EQ(debt, static_cast<std::uint64_t>(ahead > 0 && ahead <= 16 ? ahead : 0));
      for (std::uint64_t burst = 1; burst <= 8; ++burst) {
        for (std::uint64_t cost = 1; cost <= 8; ++cost) {
          const bool admitted = Narrow::admits(debt, cost, burst);
          ASSERT_EQ(admitted, debt + cost <= burst);
          if (!admitted) continue;
          const std::uint64_t charged = Narrow::value_of(debt + cost, wrapped(now));
          ASSERT_EQ(Narrow::debt(charged, wrapped(now)), debt + cost);
          ASSERT_EQ(Narrow::refunded(debt + cost, cost), debt);
          ASSERT_EQ(Narrow::refunded(debt, debt + cost), 0U);
        }
      }
    }
  }
}

// T5, for every bucket, phase of the clock, and charge of another in between: after a refund the bucket owes
// no less than its twin that never saw the request.
TEST(Gcra, ARefundNeverLeavesTheBucketBetterOff) {
  constexpr std::uint64_t burst = 8;
  for (std::int64_t now = 0; now < range; ++now) {
    for (std::uint64_t debt = 0; debt < burst; ++debt) {
      for (std::uint64_t cost = 1; debt + cost <= burst; ++cost) {
        for (std::int64_t pause = 0; pause <= 9; ++pause) {
          for (std::uint64_t others = 0; others <= burst; ++others) {
            for (std::int64_t elapsed = pause; elapsed <= 10; ++elapsed) {
              std::uint64_t value = Narrow::value_of(debt + cost, wrapped(now));
              std::uint64_t twin = Narrow::value_of(debt, wrapped(now));
              const std::uint64_t between = Narrow::debt(value, wrapped(now + pause));
              if (others > 0 && Narrow::admits(between, others, burst)) {
                const std::uint64_t twins = Narrow::debt(twin, wrapped(now + pause));
                ASSERT_TRUE(Narrow::admits(twins, others, burst));
                value = Narrow::value_of(between + others, wrapped(now + pause));
                twin = Narrow::value_of(twins + others, wrapped(now + pause));
              }
              const auto regained = static_cast<std::uint64_t>(elapsed);
              const std::uint64_t owed = Narrow::debt(value, wrapped(now + elapsed));
              const std::uint64_t left = Narrow::refunded(owed, cost > regained ? cost - regained : 0);
              ASSERT_LE(left, owed);
              ASSERT_GE(left, Narrow::debt(twin, wrapped(now + elapsed)));
            }
          }
        }
      }
    }
  }
}

// T1, T2 and T4 for every trace of four requests at every phase of the clock, which comes round in some: the
// verdict and the value are those of plain integers, and no window that a request ends holds more than its
// bound, or less than it might.
TEST(Gcra, EveryShortTraceIsAsEveryWindowAllows) {
  constexpr std::int64_t burst = 4;
  constexpr std::size_t length = 4;
  constexpr std::array<std::int64_t, 5> pauses{0, 1, 2, 5, 9};
  for (std::int64_t begin = 0; begin < range; ++begin) {
    for (std::size_t trace = 0; trace < 20 * 20 * 20 * 20; ++trace) {
      std::array<std::pair<std::int64_t, std::int64_t>, length> admitted{};  // stamp, cost
      std::size_t count = 0;
      std::uint64_t value = 0;
      bool present = false;
      std::int64_t now = begin;
      for (std::size_t step = 0, left = trace; step < length; ++step, left /= 20) {
        now += pauses[left % 20 / 4];
        const auto cost = static_cast<std::int64_t>(left % 4 + 1);
        bool allowed = true;
        std::int64_t sum = cost;
        for (std::size_t at = count; at-- > 0;) {
          sum += admitted[at].second;
          allowed = allowed && sum <= burst + now - admitted[at].first;
        }
        const std::uint64_t debt = present ? Narrow::debt(value, wrapped(now)) : 0;
        ASSERT_EQ(Narrow::admits(debt, static_cast<std::uint64_t>(cost), burst), allowed);
        if (!allowed) continue;
        value = Narrow::value_of(debt + static_cast<std::uint64_t>(cost), wrapped(now));
        present = true;
        admitted[count++] = {now, cost};
      }
    }
  }
}

// Idle is absent: dropping a spent value changes no verdict of any stamp that is not older than `oldest`.
TEST(Gcra, WhatIsSpentOwesNothingToAnyStampInUse) {
  for (std::int64_t now = 0; now < range; ++now) {
    for (std::int64_t margin = 0; margin <= 4; ++margin) {
      for (std::int64_t ahead = -half + 4; ahead < half; ++ahead) {
        const std::uint64_t value = wrapped(now + ahead);
        const bool spent = Narrow::spent(value, wrapped(now), wrapped(now - margin));
        for (std::int64_t stamp = now - margin; stamp <= now; ++stamp) {
          const bool owes = Narrow::debt(value, wrapped(stamp)) > 0;
          if (spent) {
            ASSERT_FALSE(owes && ahead <= 16) << now << ' ' << margin << ' ' << ahead;
          }
        }
        ASSERT_EQ(spent, ahead <= -margin || ahead > 16);
      }
    }
  }
}

}  // namespace
}  // namespace sekisho::ratelimit
