#include "config/diagnostics.hpp"

#include <gtest/gtest.h>

namespace sekisho::config {
namespace {

TEST(Diagnostics, SortedByPlaceAndSaidOnce) {
  Diagnostics list;
  const auto file = list.add_file("a.yaml");
  list.error({file, 9, 1}, "later");
  list.warning({file, 2, 7}, "second");
  list.error({file, 2, 3}, "first");
  list.error({file, 9, 1}, "later");
  list.error({file, 0, 0}, "whole file");
  std::vector<std::string> lines;
  for (const auto& item : list.sorted()) lines.push_back(list.format(item));
  EXPECT_EQ(lines, (std::vector<std::string>{"a.yaml: whole file", "a.yaml:2:3: first", "a.yaml:2:7: second",
                                             "a.yaml:9:1: later"}));
}

TEST(Diagnostics, AFileIsNumberedOnce) {
  Diagnostics list;
  EXPECT_EQ(list.add_file("a"), 0);
  EXPECT_EQ(list.add_file("b"), 1);
  EXPECT_EQ(list.add_file("a"), 0);
}

TEST(Diagnostics, AppendKeepsFilesApart) {
  Diagnostics list;
  list.add_file("a");
  Diagnostics other = list.fresh();
  EXPECT_FALSE(other.has_errors());
  other.error({other.add_file("b"), 1, 1}, "in b");
  list.add_file("c");
  list.append(other);
  ASSERT_TRUE(list.has_errors());
  EXPECT_EQ(list.format(list.all().at(0)), "b:1:1: in b");
}

TEST(Diagnostics, WhatIsSaidTwiceOfAPlaceIsThereOnce) {
  Diagnostics list;
  const std::uint16_t file = list.add_file("a");
  list.error({file, 2, 1}, "later");
  // Compared each with each this would take a minute.
  for (int i = 0; i < 100'000; ++i) list.warning({file, 1, 1}, "w" + std::to_string(i % 50'000));
  list.error({file, 1, 1}, "w1");
  const auto sorted = list.sorted();
  ASSERT_EQ(sorted.size(), 50'002U);
  EXPECT_EQ(sorted[0].message, "w0");
  EXPECT_EQ(sorted[49'999].message, "w49999");
  EXPECT_EQ(sorted[50'000].severity, Severity::error);
  EXPECT_EQ(sorted[50'001].message, "later");
}

TEST(Diagnostics, Severities) {
  Diagnostics list;
  list.warning({}, "w");
  EXPECT_TRUE(list.has_warnings());
  EXPECT_FALSE(list.has_errors());
}

}  // namespace
}  // namespace sekisho::config
