#include "ratelimit/bans.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>

#include "tests/ratelimit/threads.hpp"

namespace sekisho::ratelimit {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{std::chrono::hours(5)};
constexpr Key someone{0x123456789abcdef0, 42};
constexpr Key other{0xfedcba9876543210, 43};

std::size_t lift(Bans& bans, std::string_view client, Instant now) {
  std::size_t lifted = 0;
  for (const BanEntry& ban : bans.find(client, now)) lifted += bans.lift(ban, now) ? 1U : 0U;
  return lifted;
}

std::size_t ends(Bans& bans, Instant now) {
  const BanNews news = bans.take_events(now);
  return static_cast<std::size_t>(std::ranges::count(news.events, BanEvent::Kind::over, &BanEvent::kind));
}

// "set x, over x"
std::string told(Bans& bans, Instant now) {
  static constexpr const char* names[] = {"set", "over", "lifted", "evicted"};
  std::string text;
  for (const BanEvent& event : bans.take_events(now).events) {
    if (!text.empty()) text += ", ";
    text += std::string(names[static_cast<std::size_t>(event.kind)]) + " " + event.ban.client;
  }
  return text;
}

// Keys that stand all over the table.
Key nth(std::uint64_t at) {
  return {at * 0x9e3779b97f4a7c15U, at};
}

TEST(Bans, LastAsLongAsTheySay) {
  Bans bans(100, start);
  EXPECT_FALSE(bans.any());
  EXPECT_FALSE(bans.banned_for(someone, start));
  const auto entry = bans.ban(someone, "login", "192.0.2.1", {10min, {}}, start + 1ns);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->limit, "login");
  EXPECT_EQ(entry->client, "192.0.2.1");
  EXPECT_EQ(entry->repetition, 1U);
  EXPECT_TRUE(bans.any());
  const auto left = bans.banned_for(someone, start + 1ns);
  ASSERT_TRUE(left);
  EXPECT_LE(*left, 10min) << "or Retry-After would ask for a second more";
  EXPECT_GT(*left, 10min - 1ms);
  EXPECT_TRUE(bans.banned_for(someone, entry->until - 1ns));
  EXPECT_EQ(*bans.banned_for(someone, entry->until - 1ns), 1ns);
  EXPECT_FALSE(bans.banned_for(someone, entry->until));
  EXPECT_FALSE(bans.banned_for(other, start + 1s));
}

TEST(Bans, ASecondBanOfABannedClientIsNone) {
  Bans bans(100, start);
  ASSERT_TRUE(bans.ban(someone, "a", "x", {1min, {}}, start));
  EXPECT_FALSE(bans.ban(someone, "a", "x", {1h, {}}, start + 30s));
  EXPECT_FALSE(bans.banned_for(someone, start + 1min));
  EXPECT_TRUE(bans.ban(someone, "a", "x", {1min, {}}, start + 1min));
}

TEST(Bans, AResizeKeepsThem) {
  Bans bans(100, start);
  ASSERT_TRUE(bans.ban(someone, "a", "x", {10min, {}}, start));
  ASSERT_TRUE(bans.ban(other, "a", "y", {20min, {}}, start));
  bans.resize(Bans::make_room(1000));
  EXPECT_EQ(bans.capacity(), 1000U);
  EXPECT_TRUE(bans.banned_for(someone, start + 2s));
  EXPECT_FALSE(bans.ban(someone, "a", "x", {1h, {}}, start + 2s)) << "banned already";
  EXPECT_EQ(lift(bans, "x", start + 3s), 1U);
  EXPECT_FALSE(bans.banned_for(someone, start + 3s)) << "nor by the table of before";
  bans.sweep(start + 4s, start + 4s);
  EXPECT_FALSE(bans.banned_for(someone, start + 4s));
  EXPECT_TRUE(bans.banned_for(other, start + 4s)) << "what was swept is not what still holds";
  EXPECT_EQ(bans.list(start + 4s).size(), 1U);
  bans.sweep(start + 21min, start + 21min);
  bans.sweep(start + 22min, start + 22min);
  EXPECT_TRUE(bans.ban(other, "a", "y", {1min, {}}, start + 23min));
  EXPECT_TRUE(bans.banned_for(other, start + 23min));
}

TEST(Bans, GrowWithRepetitionUpToTheirBound) {
  Bans bans(100, start);
  const BanTerms terms{10min, 1h};
  Instant now = start;
  for (const Duration length :
       {Duration(10min), Duration(20min), Duration(40min), Duration(1h), Duration(1h)}) {
    const auto entry = bans.ban(someone, "a", "x", terms, now);
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->length, length);
    now = entry->until + 23h;
    bans.sweep(now);
  }
  EXPECT_EQ(bans.ban(someone, "a", "x", terms, now + 1h + 1min)->length, 10min) << "a day has passed";
}

TEST(Bans, WithoutABoundDoNotGrow) {
  Bans bans(100, start);
  EXPECT_EQ(bans.ban(someone, "a", "x", {10min, {}}, start)->length, 10min);
  const auto again = bans.ban(someone, "a", "x", {10min, {}}, start + 11min);
  EXPECT_EQ(again->length, 10min);
  EXPECT_EQ(again->repetition, 2U);
}

TEST(Bans, AreListedCountedAndLifted) {
  Bans bans(100, start);
  bans.ban({1, 1}, "a", "192.0.2.1", {10min, {}}, start);
  bans.ban({2, 2}, "b", "192.0.2.1", {20min, {}}, start + 1s);
  bans.ban({3, 3}, "b", "192.0.2.2", {5min, {}}, start + 2s);
  const auto listed = bans.list(start + 3s);
  ASSERT_EQ(listed.size(), 3U);
  EXPECT_EQ(listed[0].client, "192.0.2.2");
  EXPECT_EQ(listed[1].limit, "b");
  EXPECT_EQ(listed[2].limit, "a");
  EXPECT_EQ(bans.active("b", start + 3s), 2U);
  EXPECT_EQ(lift(bans, "192.0.2.9", start + 3s), 0U);
  EXPECT_EQ(lift(bans, "192.0.2.1", start + 3s), 2U);
  EXPECT_FALSE(bans.banned_for({1, 1}, start + 3s));
  EXPECT_FALSE(bans.banned_for({2, 2}, start + 3s));
  EXPECT_TRUE(bans.banned_for({3, 3}, start + 3s));
  EXPECT_EQ(bans.list(start + 3s).size(), 1U);
  EXPECT_EQ(bans.ban({1, 1}, "a", "192.0.2.1", {10min, 1h}, start + 4s)->length, 10min)
      << "a lifted ban is forgotten";
  EXPECT_EQ(bans.active("b", start + 4s), 1U);
  EXPECT_EQ(bans.active("b", start + 6min), 0U);
}

TEST(Bans, ThoseDroppedByAFullTableAreCountedAndNotListed) {
  Bans bans(64, start);
  for (std::uint64_t at = 1; at <= 1000; ++at) {
    bans.ban(nth(at), "a", "x", {1h, {}}, start);
  }
  std::uint64_t held = 0;
  for (std::uint64_t at = 1; at <= 1000; ++at) {
    held += bans.banned_for(nth(at), start) ? 1 : 0;
  }
  EXPECT_LE(held, 128U);
  EXPECT_EQ(bans.active("a", start), held);
  EXPECT_EQ(bans.list(start).size(), held);
  EXPECT_EQ(bans.stats().evictions, 1000 - held);
  const BanNews news = bans.take_events(start);
  EXPECT_EQ(std::ranges::count(news.events, BanEvent::Kind::evicted, &BanEvent::kind),
            static_cast<std::ptrdiff_t>(1000 - held));
  for (const BanEvent& event : news.events) {
    const bool held_on = event.kind == BanEvent::Kind::evicted && bans.banned_for(event.ban.key, start);
    EXPECT_FALSE(held_on);
  }
}

TEST(Bans, OfLimitsThatBanNoLongerAreNotListed) {
  Bans bans(100, start);
  bans.ban(someone, "a", "x", {1h, {}}, start);
  bans.ban(other, "b", "y", {1h, {}}, start);
  const BanningLimit a{"a", 0}, b{"b", 0};
  bans.enforce({b});
  EXPECT_EQ(bans.active("a", start), 0U);
  ASSERT_EQ(bans.list(start).size(), 1U);
  EXPECT_EQ(bans.list(start)[0].limit, "b");
  bans.enforce({a, b});
  EXPECT_EQ(bans.active("a", start), 1U);
}

TEST(Bans, OfALimitThatGoesByAnotherRecipeAreNotListed) {
  Bans bans(100, start);
  bans.ban(someone, "a", "x", {1h, {}, 7}, start);
  bans.ban(other, "a", "y", {1h, {}, 8}, start);
  EXPECT_EQ(bans.active("a", start), 2U);
  const BanningLimit now_by_8{"a", 8};
  bans.enforce({now_by_8});
  EXPECT_EQ(bans.active("a", start), 1U);
  ASSERT_EQ(bans.list(start).size(), 1U);
  EXPECT_EQ(bans.list(start)[0].client, "y");
}

TEST(Bans, EachEndIsToldOnce) {
  Bans bans(100, start);
  bans.ban(someone, "a", "x", {1min, {}}, start);
  bans.ban(other, "a", "y", {2min, {}}, start);
  EXPECT_EQ(told(bans, start + 59s), "set x, set y");
  EXPECT_EQ(told(bans, start + 1min), "over x");
  EXPECT_EQ(told(bans, start + 61s), "");
  EXPECT_TRUE(bans.any());
  // Ended and begun anew before anybody asked.
  bans.ban(other, "a", "y", {2min, {}}, start + 3min);
  EXPECT_EQ(told(bans, start + 4min), "over y, set y");
  EXPECT_EQ(told(bans, start + 6min), "over y");
  EXPECT_FALSE(bans.any());
}

TEST(Bans, AreToldInTheOrderInWhichTheyCameAbout) {
  Bans bans(100, start);
  bans.ban(someone, "a", "x", {1min, {}}, start);
  EXPECT_EQ(lift(bans, "x", start + 1s), 1U);
  bans.ban(someone, "a", "x", {1min, {}}, start + 2s);
  EXPECT_EQ(told(bans, start + 3s), "set x, lifted x, set x");
}

TEST(Bans, ABanThatIsOverIsNoLossToAFullTable) {
  Bans bans(2, start);
  for (std::uint64_t at = 1; at <= 16; ++at) bans.ban(nth(at), "a", "x", {1min, {}}, start);
  const std::uint64_t evictions = bans.stats().evictions;
  for (std::uint64_t at = 17; at <= 20; ++at) bans.ban(nth(at), "a", "x", {1min, {}}, start + 1min);
  EXPECT_EQ(bans.stats().evictions, evictions);
}

TEST(Bans, HoldBeyondTheirList) {
  Bans bans(Bans::max_listed + 100, start);
  const std::uint64_t last = Bans::max_listed + 50;
  for (std::uint64_t at = 1; at <= last; ++at) {
    ASSERT_TRUE(bans.ban(nth(at), "a", "x", {1h, {}}, start));
  }
  EXPECT_EQ(bans.list(start).size(), Bans::max_listed);
  EXPECT_EQ(bans.active("a", start), Bans::max_listed);
  EXPECT_EQ(bans.stats().unlisted, 50U);
  EXPECT_TRUE(bans.banned_for(nth(last), start + 59min));
  const BanNews news = bans.take_events(start);
  EXPECT_EQ(news.events.size(), last) << "a ban is told, listed or not";
  EXPECT_EQ(news.dropped, 0U);
  // Those that ended make room for the next.
  ASSERT_TRUE(bans.ban({1, 1}, "new", "x", {1h, {}}, start + 2h));
  EXPECT_EQ(bans.list(start + 2h).size(), 1U);
  EXPECT_EQ(ends(bans, start + 2h), Bans::max_listed);
  bans.sweep(start + 2h);
  EXPECT_EQ(bans.stats().unlisted, 0U);
}

TEST(Bans, BeyondTheirListAreLiftedByKey) {
  Bans bans(Bans::max_listed + 100, start);
  const std::uint64_t last = Bans::max_listed + 5;
  for (std::uint64_t at = 1; at <= last; ++at) bans.ban(nth(at), "a", "x", {1h, {}}, start);
  bans.take_events(start);
  BanEntry named;
  named.key = nth(last);
  named.client = "192.0.2.1";
  EXPECT_TRUE(bans.lift(named, start + 1s));
  EXPECT_FALSE(bans.banned_for(named.key, start + 1s));
  EXPECT_FALSE(bans.lift(named, start + 1s));
  EXPECT_EQ(told(bans, start + 1s), "lifted 192.0.2.1");
  EXPECT_EQ(bans.stats().unlisted, 4U);
  bans.sweep(start + 2s);
  EXPECT_EQ(bans.stats().unlisted, 4U) << "as counted in the table";
  named.key = nth(1);
  EXPECT_TRUE(bans.lift(named, start + 2s));
  EXPECT_EQ(told(bans, start + 2s), "lifted x") << "a listed one goes by its own text";
}

TEST(Bans, EventsThatNobodyTakesAreCounted) {
  Bans bans(100, start);
  constexpr std::size_t rounds = BanEvents::max_waiting / 2 + 10;
  for (std::size_t round = 0; round < rounds; ++round) {
    ASSERT_TRUE(bans.ban(someone, "a", "x", {1ms, {}}, start + round * 1ms));
  }
  const std::size_t all = 2 * rounds - 1;  // the last has not ended
  EXPECT_EQ(bans.stats().events_dropped, all - BanEvents::max_waiting);
  const BanNews news = bans.take_events(start);
  EXPECT_EQ(news.events.size(), BanEvents::max_waiting);
  EXPECT_EQ(news.dropped, all - BanEvents::max_waiting);
  EXPECT_EQ(bans.take_events(start).dropped, 0U);
}

TEST(Bans, TheLongestIsHeldAndNoMore) {
  Bans bans(10, start);
  const auto entry = bans.ban(someone, "a", "x", {24h * 10000, {}}, start);
  EXPECT_GT(entry->until, start + 24h * 198);
  EXPECT_TRUE(bans.banned_for(someone, start));
  EXPECT_TRUE(bans.banned_for(someone, start + 24h * 198));
  EXPECT_FALSE(bans.banned_for(someone, start + 24h * 199));
}

TEST(Bans, AreReadSweptAndLiftedWhileThreadsSetThem) {
  Bans bans(10000, start);
  std::atomic<std::size_t> set{0};
  std::atomic<int> left{3};
  test::together(4, [&](int thread) {
    if (thread > 0) {
      for (std::uint64_t at = 0; at < 2000; ++at) {
        const std::uint64_t which = static_cast<std::uint64_t>(thread) * 2000 + at;
        if (bans.ban(nth(which), "a", which % 2 == 0 ? "x" : "y", {1h, {}}, start)) set.fetch_add(1);
      }
      left.fetch_sub(1);
      return;
    }
    while (left.load() > 0) {
      bans.sweep(start);
      bans.list(start);
      lift(bans, "x", start);
      bans.active("a", start);
    }
  });
  EXPECT_EQ(set.load(), 6000U);
  lift(bans, "x", start);
  EXPECT_EQ(bans.active("a", start), 3000U);
  EXPECT_EQ(bans.list(start).size(), 3000U);
  EXPECT_EQ(bans.take_events(start).events.size(), 9000U);
}

TEST(Bans, OfManyThreadsOneSetsIt) {
  Bans bans(100, start);
  std::atomic<int> set{0};
  test::together(4, [&](int) {
    for (int round = 0; round < 200; ++round) {
      const Instant now = start + round * 1h;
      if (bans.ban(someone, "a", "x", {30min, {}}, now)) set.fetch_add(1);
      bans.banned_for(someone, now);
    }
  });
  EXPECT_GE(set.load(), 200);
  EXPECT_EQ(bans.list(start + 199h).size(), 1U);
}

}  // namespace
}  // namespace sekisho::ratelimit
