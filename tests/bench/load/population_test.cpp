#include "bench/load/population.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace sekisho::load {
namespace {

using testing::HasSubstr;

Population parse(std::string_view text) {
  std::string problem;
  const auto population = parse_population(text, problem);
  EXPECT_TRUE(population) << problem;
  return population.value_or(Population{});
}

std::string text_of(const Population& population, std::uint64_t number) {
  std::string text(width_of(population), 'x');
  write_address(population, number, text.data());
  return text;
}

TEST(Population, ItsForms) {
  EXPECT_EQ(parse("one").size, 1U);
  EXPECT_EQ(parse("zipf:400000").kind, Population::Kind::zipf);
  EXPECT_EQ(parse("zipf:400000").size, 400'000U);
  EXPECT_EQ(parse("uniform:7").kind, Population::Kind::uniform);
  EXPECT_EQ(parse("sequential:7").kind, Population::Kind::sequential);
  EXPECT_EQ(parse("per-connection").kind, Population::Kind::per_connection);
  for (const std::string_view text : {"", "two", "one:3", "uniform", "uniform:", "uniform:0", "zipf:-1",
                                      "zipf:x", "sequential:99999999999", "per-connection:4"}) {
    std::string problem;
    EXPECT_FALSE(parse_population(text, problem)) << text;
    EXPECT_FALSE(problem.empty()) << text;
  }
}

TEST(Population, AddressesFillTheirField) {
  Population population = parse("sequential:1000");
  EXPECT_EQ(text_of(population, 0), "240.0.0.1      ");
  EXPECT_EQ(text_of(population, 299), "240.0.1.44     ");
  population.base = config::IpAddress::parse("198.51.100.200");
  EXPECT_EQ(text_of(population, 100), "198.51.101.44  ");
  population.base.reset();
  population.v6 = true;
  EXPECT_EQ(text_of(population, 0), "2001:db8::1                            ");
  // The next household, not the next address of the same one.
  EXPECT_EQ(text_of(population, 2), "2001:db8:0:2::1                        ");
  population.base = config::IpAddress::parse("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff");
  EXPECT_EQ(text_of(population, 1), "2001:db9::ffff:ffff:ffff:ffff          ");
}

TEST(Population, ThatDoesNotFitIsAProblem) {
  Population population = parse("uniform:1000");
  EXPECT_EQ(problem_of(population), "");
  population.base = config::IpAddress::parse("255.255.255.0");
  EXPECT_THAT(problem_of(population), HasSubstr("no 1000 addresses from 255.255.255.0"));
  population.size = 256;
  EXPECT_EQ(problem_of(population), "");
  population.v6 = true;
  EXPECT_THAT(problem_of(population), HasSubstr("no IPv6 address"));
}

TEST(Draw, SequentialOverThreadsIsEachNumberInTurn) {
  const Population population = parse("sequential:10");
  std::multiset<std::uint64_t> seen;
  for (std::uint64_t share = 0; share < 2; ++share) {
    Draw draw(population, 1, share, 2);
    for (int i = 0; i < 10; ++i) {
      const std::uint64_t number = draw.next(0);
      EXPECT_EQ(number % 2, share);
      seen.insert(number);
    }
  }
  for (std::uint64_t number = 0; number < 10; ++number) EXPECT_EQ(seen.count(number), 2U);
}

TEST(Draw, UniformIsWithinAndReachesAll) {
  Draw draw(parse("uniform:10"), 1, 0, 1);
  std::map<std::uint64_t, int> seen;
  for (int i = 0; i < 10'000; ++i) ++seen[draw.next(0)];
  EXPECT_EQ(seen.size(), 10U);
  for (const auto& [number, count] : seen) {
    EXPECT_LT(number, 10U);
    EXPECT_NEAR(count, 1000, 200);
  }
}

TEST(Draw, ZipfFavoursTheFirst) {
  Draw draw(parse("zipf:1000"), 1, 0, 1);
  std::vector<int> seen(1000);
  for (int i = 0; i < 100'000; ++i) ++seen.at(draw.next(0));
  // 1 / (1 + 1/2 + ... + 1/1000) = 0.1336
  EXPECT_NEAR(seen[0], 13'360, 700);
  EXPECT_NEAR(seen[1], 6'680, 500);
  EXPECT_NEAR(seen[9], 1'336, 250);
}

TEST(Draw, PerConnectionIsTheConnections) {
  Draw draw(parse("per-connection"), 1, 1, 2);
  EXPECT_EQ(draw.next(17), 17U);
  EXPECT_EQ(draw.next(3), 3U);
}

TEST(Draw, ASeedIsTheSameEveryTime) {
  Draw one(parse("uniform:1000000"), 9, 0, 1), same(parse("uniform:1000000"), 9, 0, 1);
  Draw other(parse("uniform:1000000"), 10, 0, 1);
  bool differs = false;
  for (int i = 0; i < 20; ++i) {
    const std::uint64_t number = one.next(0);
    EXPECT_EQ(number, same.next(0));
    differs = differs || number != other.next(0);
  }
  EXPECT_TRUE(differs);
}

}  // namespace
}  // namespace sekisho::load
