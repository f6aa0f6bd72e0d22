#include "ratelimit/heavy_hitters.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ratelimit/merged_hitters.hpp"
#include "ratelimit/text_hash.hpp"
#include "tests/ratelimit/random.hpp"

namespace sekisho::ratelimit {
namespace {

using Exact = std::map<std::string, std::uint64_t>;

const TextHasher hasher({0x9e3779b97f4a7c15, 0xd1b54a32d192ed03});

void add(HeavyHitters& sketch, const std::string& item) {
  sketch.add(item, hasher(item));
}

// What the header promises of one sketch that has seen `exact`.
void check(const HeavyHitters& sketch, const Exact& exact, std::size_t slots) {
  std::uint64_t total = 0;
  for (const auto& [text, count] : exact) total += count;
  ASSERT_EQ(sketch.total(), total);
  ASSERT_LE(sketch.floor(), total / slots);
  std::map<std::string, HeavyHitters::Item> items;
  std::uint64_t sum = 0;
  sketch.each([&](const HeavyHitters::Item& item) {
    ASSERT_TRUE(items.emplace(item.text, item).second) << "twice: " << item.text;
    sum += item.count;
  });
  EXPECT_EQ(sum, total) << "every event is in one count";
  for (const auto& [text, item] : items) {
    ASSERT_TRUE(exact.contains(text));
    const std::uint64_t count = exact.at(text);
    EXPECT_LE(count, item.count) << text;
    EXPECT_GE(count, item.count - item.error) << text;
    EXPECT_LE(item.error, sketch.floor()) << text;
  }
  for (const auto& [text, count] : exact) {
    if (items.contains(text)) continue;
    EXPECT_LE(count, sketch.floor()) << text;
    EXPECT_LE(count * slots, total) << text;
  }
}

// The same of several sketches together.
void check(const MergedHitters& merged, const Exact& exact, std::size_t slots) {
  std::uint64_t total = 0;
  for (const auto& [text, count] : exact) total += count;
  ASSERT_EQ(merged.total(), total);
  ASSERT_LE(merged.floor(), total / slots);
  Exact found;
  const auto items = merged.top(exact.size() + 1);
  for (std::size_t at = 0; at < items.size(); ++at) {
    const auto& item = items[at];
    if (at > 0) {
      EXPECT_GE(items[at - 1].count, item.count);
    }
    ASSERT_TRUE(exact.contains(item.text));
    EXPECT_LE(exact.at(item.text), item.count) << item.text;
    EXPECT_GE(exact.at(item.text), item.count - item.error) << item.text;
    EXPECT_LE(item.error, merged.floor());
    found[item.text] = item.count;
  }
  for (const auto& [text, count] : exact) {
    const auto item = merged.find(text);
    EXPECT_LE(count, item.count);
    EXPECT_GE(count, item.count - item.error);
    if (!found.contains(text)) {
      EXPECT_LE(count * slots, total) << text;
    }
  }
}

// Item numbers of one stream after the other.
using Stream = std::function<std::int64_t(test::Random&, int turn)>;

std::int64_t zipf(test::Random& random, double exponent) {
  // By inversion of the continuous distribution: near enough to it for a stream.
  const double u = static_cast<double>(random(1, 1'000'000)) / 1e6;
  return static_cast<std::int64_t>(std::min(1e6, std::pow(u, -1 / exponent)));
}

const std::vector<std::pair<const char*, Stream>> streams{
    {"uniform", [](test::Random& random, int) { return random(0, 200); }},
    {"zipf 1.0", [](test::Random& random, int) { return zipf(random, 1.0); }},
    {"zipf 0.5", [](test::Random& random, int) { return zipf(random, 0.5); }},
    {"all distinct", [](test::Random&, int turn) { return turn; }},
    {"in turn, one more than slots", [](test::Random&, int turn) { return turn % 33; }},
    {"each twice, then never again", [](test::Random&, int turn) { return turn / 2; }},
    {"one among distinct ones", [](test::Random&, int turn) { return turn % 16 == 0 ? -1 : turn; }},
    {"heavy ones late", [](test::Random&, int turn) { return turn < 4000 ? turn : turn % 5; }},
    {"heavy ones early", [](test::Random&, int turn) { return turn < 1000 ? turn % 5 : turn; }},
};

TEST(HeavyHitters, KeepsItsPromisesOfAnyStream) {
  for (const std::uint64_t seed : test::seeds(8)) {
    for (const auto& [name, next] : streams) {
      for (const std::size_t slots : {1, 2, 7, 32}) {
        SCOPED_TRACE(std::string(name) + ", seed " + std::to_string(seed) + ", slots " +
                     std::to_string(slots));
        test::Random random(seed);
        HeavyHitters sketch(slots, 16);
        Exact exact;
        for (int turn = 0; turn < 6000; ++turn) {
          const std::string item = std::to_string(next(random, turn));
          add(sketch, item);
          ++exact[item];
          if (turn % 997 == 0) check(sketch, exact, slots);
        }
        check(sketch, exact, slots);
      }
    }
  }
}

TEST(HeavyHitters, SeveralTogetherKeepThem) {
  for (const std::uint64_t seed : test::seeds(8)) {
    for (const auto& [name, next] : streams) {
      SCOPED_TRACE(std::string(name) + ", seed " + std::to_string(seed));
      test::Random random(seed);
      std::vector<HeavyHitters> sketches(3, HeavyHitters(32, 16));
      Exact exact;
      const std::int64_t skew = random(1, 3);
      for (int turn = 0; turn < 6000; ++turn) {
        const std::string item = std::to_string(next(random, turn));
        // With skew 3 the last sketch sees nothing: it adds no error.
        add(sketches[static_cast<std::size_t>(random(0, 3 - skew))], item);
        ++exact[item];
      }
      MergedHitters merged;
      for (const HeavyHitters& sketch : sketches) merged.add(sketch);
      check(merged, exact, 32);
    }
  }
}

TEST(HeavyHitters, IsExactWhileTheSlotsLast) {
  HeavyHitters sketch(8, 16);
  Exact exact;
  test::Random random(1);
  for (int turn = 0; turn < 1000; ++turn) {
    const std::string item = std::to_string(random(0, 6));
    add(sketch, item);
    ++exact[item];
  }
  MergedHitters merged;
  merged.add(sketch);
  for (const auto& [text, count] : exact) {
    EXPECT_EQ(merged.find(text).count, count);
    EXPECT_EQ(merged.find(text).error, 0u);
  }
  EXPECT_EQ(merged.find("another").count, 0u) << "all are known while a slot is free";
}

TEST(HeavyHitters, FindsTheScannersAmongAMillionDistinctClients) {
  constexpr std::size_t slots = 1024;
  HeavyHitters sketch(slots, 17);
  const int events = test::scaled(1'000'000);
  for (int turn = 0; turn < events; ++turn) {
    add(sketch, turn % 500 == 0 ? "scanner" : std::to_string(turn));
  }
  MergedHitters merged;
  merged.add(sketch);
  const auto top = merged.top(1);
  ASSERT_EQ(top.size(), 1u);
  EXPECT_EQ(top.front().text, "scanner");
  EXPECT_GE(top.front().count, static_cast<std::uint64_t>(events / 500));
}

TEST(HeavyHitters, LongItemsAreCutAndAnyByteIsAnItem) {
  HeavyHitters sketch(4, 5);
  add(sketch, "12345");
  sketch.add("1234567", hasher("12345"));
  add(sketch, std::string("\0\xff", 2));
  add(sketch, "");
  MergedHitters merged;
  merged.add(sketch);
  EXPECT_EQ(merged.find("12345").count, 2u);
  EXPECT_EQ(merged.find(std::string("\0\xff", 2)).count, 1u);
  EXPECT_EQ(merged.find("").count, 1u);
}

TEST(HeavyHitters, ClearedItIsAsNew) {
  HeavyHitters sketch(4, 8);
  for (int turn = 0; turn < 100; ++turn) add(sketch, std::to_string(turn % 9));
  sketch.clear();
  EXPECT_EQ(sketch.total(), 0u);
  EXPECT_EQ(sketch.floor(), 0u);
  Exact exact;
  for (int turn = 0; turn < 100; ++turn) {
    add(sketch, std::to_string(turn % 7));
    ++exact[std::to_string(turn % 7)];
  }
  check(sketch, exact, 4);
}

TEST(HeavyHitters, TheMostSlots) {
  HeavyHitters sketch(HeavyHitters::most_slots, 8);
  for (int turn = 0; turn < 70'000; ++turn) add(sketch, std::to_string(turn));
  EXPECT_EQ(sketch.total(), 70'000u);
  EXPECT_EQ(sketch.floor(), 1u);
}

// Equal texts have equal hashes whatever stands behind them; other texts, lengths and secrets have others.
TEST(TextHasher, TellsTextsApart) {
  std::map<std::uint64_t, std::string> seen;
  const std::string zeros(64, '\0');
  for (std::size_t length = 0; length <= 64; ++length) {
    EXPECT_TRUE(seen.emplace(hasher(zeros.substr(0, length)), "zeros").second) << length;
    std::string text(length, 'a');
    for (std::size_t at = 0; at < length; ++at) {
      text[at] = 'b';
      EXPECT_TRUE(seen.emplace(hasher(text), text).second) << text;
      text[at] = 'a';
    }
  }
  const std::string_view within = "the same text and more";
  EXPECT_EQ(hasher(within.substr(0, 13)), hasher("the same text"));
  EXPECT_NE(hasher("/"), TextHasher({0x2545f4914f6cdd1d, 0xbf58476d1ce4e5b9})("/"));
}

TEST(TextHasher, SpreadsOverTheChains) {
  std::vector<int> chains(2048);
  for (int number = 0; number < 2048; ++number)
    ++chains[hasher("/articles/" + std::to_string(number)) % 2048];
  // Thrown at random the fullest of so many holds 6 or 7.
  EXPECT_LE(*std::max_element(chains.begin(), chains.end()), 10);
}

}  // namespace
}  // namespace sekisho::ratelimit
