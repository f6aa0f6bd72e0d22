#include "ratelimit/recent_hitters.hpp"

#include <gtest/gtest.h>

#include <string>

#include "ratelimit/merged_hitters.hpp"

namespace sekisho::ratelimit {
namespace {

using namespace std::chrono_literals;

// A multiple of the generations' length.
constexpr Instant base{RecentHitters::generation * 1000};

std::uint64_t count(RecentHitters& hitters, const std::string& item, Instant now) {
  hitters.turn(now);
  MergedHitters merged;
  for (const HeavyHitters& sketch : hitters.generations()) merged.add(sketch);
  return merged.find(item).count;
}

TEST(RecentHitters, SpeaksOfTheLastOneToTwoGenerations) {
  RecentHitters hitters(16, 8, base);
  hitters.add("a", 1, base + 1s);
  hitters.add("a", 1, base + 149s);
  EXPECT_EQ(count(hitters, "a", base + 149s), 2u);
  hitters.add("a", 1, base + 151s);
  EXPECT_EQ(count(hitters, "a", base + 299s), 3u);
  EXPECT_EQ(count(hitters, "a", base + 300s), 1u) << "the first generation is gone";
  EXPECT_EQ(count(hitters, "a", base + 449s), 1u);
  EXPECT_EQ(count(hitters, "a", base + 450s), 0u);
}

TEST(RecentHitters, ForgetsWhatCameBeforeALongSilence) {
  RecentHitters hitters(16, 8, base);
  hitters.add("a", 1, base + 1s);
  hitters.add("a", 1, base + 151s);
  EXPECT_EQ(count(hitters, "a", base + 10h), 0u);
  hitters.add("a", 1, base + 10h);
  EXPECT_EQ(count(hitters, "a", base + 10h), 1u);
  RecentHitters other(16, 8, base);
  other.add("a", 1, base + 1s);
  other.add("a", 1, base + 450s);  // nothing came in between
  EXPECT_EQ(count(other, "a", base + 451s), 1u);
}

TEST(RecentHitters, SaysSinceWhen) {
  RecentHitters hitters(16, 8, base + 100s);
  EXPECT_EQ(hitters.since(), base + 100s);
  hitters.turn(base + 200s);
  EXPECT_EQ(hitters.since(), base + 100s);
  hitters.turn(base + 301s);
  EXPECT_EQ(hitters.since(), base + 150s);
  hitters.turn(base + 10h + 10s);
  EXPECT_EQ(hitters.since(), base + 10h - 150s) << "10 h is a multiple of the length";
}

// Workers start and look at different times, and yet speak of the same minutes.
TEST(RecentHitters, GenerationsOfSeveralBeginTogether) {
  RecentHitters first(16, 8, base + 3s);
  RecentHitters second(16, 8, base + 77s);
  first.turn(base + 305s);
  second.turn(base + 400s);
  EXPECT_EQ(first.since(), second.since());
}

TEST(RecentHitters, ACopyStandsAlone) {
  RecentHitters hitters(16, 8, base);
  hitters.add("a", 1, base);
  RecentHitters copy(16, 8, base);
  copy = hitters;
  hitters.add("a", 1, base);
  EXPECT_EQ(count(copy, "a", base), 1u);
  EXPECT_EQ(count(hitters, "a", base), 2u);
}

}  // namespace
}  // namespace sekisho::ratelimit
