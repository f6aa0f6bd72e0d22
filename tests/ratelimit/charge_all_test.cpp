#include "ratelimit/charge_all.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>

#include "tests/ratelimit/random.hpp"
#include "tests/ratelimit/threads.hpp"

namespace sekisho::ratelimit {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{std::chrono::hours(5)};
constexpr Key someone{0x123456789abcdef0, 42};

// The limits that every test below asks, by their bursts.
class ChargeAll : public testing::Test {
 protected:
  Limiter wide_{{1, 1h, 100}, 10, start};
  Limiter narrow_{{1, 1h, 3}, 10, start};
  Limiter middle_{{1, 1h, 50}, 10, start};

  std::array<Charge, 3> charges() {
    return {Charge{&wide_, someone, {}}, {&narrow_, someone, {}}, {&middle_, someone, {}}};
  }
  static std::uint64_t left(const Limiter& limiter) {
    const Decision decision = limiter.peek(someone, start);
    return decision.admitted ? decision.remaining + 1 : 0;
  }
};

TEST_F(ChargeAll, ChargesAllOrNone) {
  for (int round = 0; round < 3; ++round) {
    auto asked = charges();
    EXPECT_TRUE(charge_all(asked, start));
    for (const Charge& charge : asked) EXPECT_TRUE(charge.decision.admitted);
  }
  auto asked = charges();
  EXPECT_FALSE(charge_all(asked, start));
  EXPECT_EQ(left(wide_), 97U);
  EXPECT_EQ(left(middle_), 47U);
  // What each alone says.
  EXPECT_TRUE(asked[0].decision.admitted);
  EXPECT_EQ(asked[0].decision.remaining, 96U);
  EXPECT_FALSE(asked[1].decision.admitted);
  EXPECT_GT(Decision(asked[1].decision).retry_after, 59min);
  EXPECT_TRUE(asked[2].decision.admitted);
}

TEST_F(ChargeAll, OfNoLimitsAdmits) {
  EXPECT_TRUE(charge_all({}, start));
}

// The look finds one token for both; the second charge finds it gone, and the first is given back.
TEST_F(ChargeAll, ARaceLostGivesBackWhatWasCharged) {
  narrow_.charge(someone, start);
  narrow_.charge(someone, start);
  std::array<Charge, 3> asked{Charge{&wide_, someone, {}}, {&narrow_, someone, {}}, {&narrow_, someone, {}}};
  EXPECT_FALSE(charge_all(asked, start));
  EXPECT_EQ(left(wide_), 100U);
  EXPECT_EQ(left(narrow_), 1U);
  EXPECT_TRUE(asked[0].decision.admitted);
  EXPECT_FALSE(asked[2].decision.admitted);
}

TEST_F(ChargeAll, UnderContentionEveryTokenIsAccountedFor) {
  for (int round = 0; round < test::scaled(500); ++round) {
    Limiter wide({1, 1h, 100}, 10, start);
    Limiter narrow({1, 1h, 9}, 10, start);
    Limiter middle({1, 1h, 50}, 10, start);
    std::atomic<std::uint64_t> admitted{0};
    test::together(3, [&](int number) {
      for (int tries = 0; tries < 8; ++tries) {
        std::array<Charge, 3> asked{
            Charge{&wide, someone, {}}, {&narrow, someone, {}}, {&middle, someone, {}}};
        if (number == 1) std::swap(asked[0], asked[1]);
        if (charge_all(asked, start)) admitted.fetch_add(1);
      }
    });
    // A loser may hold the last token for a moment, so fewer than 9 is possible; what is left is exact.
    ASSERT_LE(admitted.load(), 9U);
    ASSERT_EQ(left(wide), 100 - admitted.load());
    ASSERT_EQ(left(narrow), 9 - admitted.load());
    ASSERT_EQ(left(middle), 50 - admitted.load());
  }
}

}  // namespace
}  // namespace sekisho::ratelimit
