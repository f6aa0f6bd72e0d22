#include "bench/load/schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace sekisho::load {
namespace {

constexpr std::int64_t second = 1'000'000'000;

TEST(Schedule, ConstantAndWithoutDrift) {
  Schedule schedule(300'000, 1, 50, 0, 1);  // a gap of 3333.33 ns
  for (int i = 0; i < 300'000; ++i) schedule.take(1);
  EXPECT_NEAR(static_cast<double>(schedule.due()), 50 + second, 1);
}

TEST(Schedule, SlowerThanOneASecond) {
  Schedule schedule(200.0 / 60, 1, 0, 0, 1);
  for (int i = 0; i < 200; ++i) schedule.take(1);
  EXPECT_NEAR(static_cast<double>(schedule.due()), 60.0 * second, 1000);
}

TEST(Schedule, SharesInterleave) {
  std::vector<std::int64_t> all;
  for (std::uint64_t share = 0; share < 3; ++share) {
    Schedule schedule(1000, 1, 7, share, 3);
    for (int i = 0; i < 10; ++i, schedule.take(1)) all.push_back(schedule.due());
  }
  std::sort(all.begin(), all.end());
  for (std::size_t i = 0; i < all.size(); ++i)
    EXPECT_EQ(all[i], 7 + static_cast<std::int64_t>(i) * 1'000'000);
}

TEST(Schedule, WhatIsLeft) {
  Schedule schedule(1000, 1, 0, 0, 1);
  EXPECT_EQ(schedule.left_before(0), 0U);
  EXPECT_EQ(schedule.left_before(1), 1U);
  EXPECT_EQ(schedule.left_before(second), 1000U);
  schedule.take(1);
  EXPECT_EQ(schedule.left_before(second), 999U);
}

TEST(Schedule, WhatABatchHasLeftIsDueWhenItWas) {
  Schedule schedule(1600, 16, 0, 0, 1);  // 16 each 10 ms
  schedule.take(10);
  EXPECT_EQ(schedule.due(), 0);
  EXPECT_EQ(schedule.left_at_once(), 6U);
  EXPECT_EQ(schedule.left_before(second), 1590U);
  schedule.take(6);
  EXPECT_EQ(schedule.due(), 10'000'000);
  EXPECT_EQ(schedule.left_at_once(), 16U);
  schedule.take(3);
  EXPECT_EQ(schedule.left_before(second), 13 + 98 * 16U);
}

}  // namespace
}  // namespace sekisho::load
