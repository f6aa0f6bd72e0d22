#include "bench/load/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace sekisho::load {
namespace {

TEST(Histogram, NothingRecorded) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.min(), 0);
  EXPECT_EQ(histogram.max(), 0);
  EXPECT_EQ(histogram.mean(), 0);
  EXPECT_EQ(histogram.quantile(0.99), 0);
}

TEST(Histogram, OneValueIsEveryQuantile) {
  for (const std::int64_t value : {std::int64_t{0}, std::int64_t{1}, std::int64_t{2047}, std::int64_t{2048},
                                   std::int64_t{1'234'567}, Histogram::largest}) {
    Histogram histogram;
    histogram.record(value);
    for (const double share : {0.0, 0.5, 1.0}) EXPECT_EQ(histogram.quantile(share), value);
    EXPECT_EQ(histogram.min(), value);
    EXPECT_EQ(histogram.max(), value);
  }
}

TEST(Histogram, ThreeDigitsOverTheWholeRange) {
  for (std::int64_t value = 1; value < Histogram::largest; value += value / 7 + 1) {
    Histogram histogram;
    histogram.record(0);
    histogram.record(value);
    histogram.record(Histogram::largest);
    const std::int64_t found = histogram.quantile(0.5);
    EXPECT_GE(found, value);
    EXPECT_LE(found - value, value / 1000) << value;
  }
}

TEST(Histogram, WhatIsOutOfRangeCountsAsItsEnd) {
  Histogram histogram;
  histogram.record(-5);
  histogram.record(Histogram::largest + 1);
  EXPECT_EQ(histogram.min(), 0);
  EXPECT_EQ(histogram.max(), Histogram::largest);
  EXPECT_EQ(histogram.count(), 2U);
}

TEST(Histogram, TheSameAsSorting) {
  std::mt19937_64 random(5);
  std::lognormal_distribution<double> draw(14, 2);
  std::vector<std::int64_t> values(100'000);
  Histogram one, two;
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<std::int64_t>(draw(random));
    (i % 3 == 0 ? one : two).record(values[i]);
  }
  one.add(two);
  std::sort(values.begin(), values.end());
  EXPECT_EQ(one.count(), values.size());
  EXPECT_EQ(one.min(), values.front());
  EXPECT_EQ(one.max(), values.back());
  for (const double share : {0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
    const auto rank = std::max<std::size_t>(
        1, static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size()))));
    const std::int64_t wanted = values[rank - 1];
    EXPECT_GE(one.quantile(share), wanted) << share;
    EXPECT_LE(one.quantile(share), wanted + wanted / 1000) << share;
  }
}

}  // namespace
}  // namespace sekisho::load
