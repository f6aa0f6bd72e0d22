#include "ratelimit/gcra.hpp"

#include <gtest/gtest.h>

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
        }
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
