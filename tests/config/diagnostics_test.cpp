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

TEST(Diagnostics, Severities) {
  Diagnostics list;
  list.warning({}, "w");
  EXPECT_TRUE(list.has_warnings());
  EXPECT_FALSE(list.has_errors());
}

}  // namespace
}  // namespace sekisho::config
