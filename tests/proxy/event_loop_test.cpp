#include "proxy/event_loop.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace sekisho::proxy {
namespace {

using std::chrono::milliseconds;

struct Sleeper final : LoopTimer {
  Sleeper(EventLoop& loop, Instant at, std::vector<Sleeper*>& rung_before) : rung(rung_before) {
    loop.start(*this, at);
  }
  void on_time(Instant now) override {
    EXPECT_GE(now, time()) << "nobody early";
    rung.push_back(this);
    if (then) then();
  }
  std::vector<Sleeper*>& rung;
  std::function<void()> then;
};

struct Line {
  std::unique_ptr<Sleeper> sleeper(milliseconds after) {
    return std::make_unique<Sleeper>(loop, start + after, rung);
  }
  // Turns until a last one is rung.
  void run(milliseconds after) {
    const auto last = sleeper(after);
    last->then = [this] { loop.stop(); };
    loop.run();
    rung.pop_back();
  }
  EventLoop loop;
  Instant start = std::chrono::steady_clock::now();
  std::vector<Sleeper*> rung;
};

TEST(EventLoop, RingsEachOnceInTheOrderOfTheirTimes) {
  Line line;
  const auto third = line.sleeper(milliseconds(60)), first = line.sleeper(milliseconds(20)),
             second = line.sleeper(milliseconds(40)), past = line.sleeper(milliseconds(-5));
  line.run(milliseconds(80));
  EXPECT_EQ(line.rung, (std::vector<Sleeper*>{past.get(), first.get(), second.get(), third.get()}));
}

// What one that was late by a slot of the wheel would never do: it is the best of many that is looked at,
// since a machine under load lets any one of them wait.
TEST(EventLoop, RingsWithinMilliseconds) {
  Line line;
  auto least = milliseconds::max();
  std::vector<std::unique_ptr<Sleeper>> sleepers;
  for (int at = 1; at <= 20; ++at) {
    sleepers.push_back(line.sleeper(milliseconds(7 * at)));
    sleepers.back()->then = [&, rung = sleepers.back().get()] {
      const auto late = std::chrono::steady_clock::now() - rung->time();
      least = std::min(least, std::chrono::duration_cast<milliseconds>(late));
    };
  }
  line.run(milliseconds(160));
  EXPECT_EQ(line.rung.size(), 20U);
  EXPECT_LT(least, milliseconds(20));
}

TEST(EventLoop, WhoHasGoneIsNotRungAndKeepsNobodyBack) {
  Line line;
  auto gone = line.sleeper(milliseconds(5));
  const auto stays = line.sleeper(milliseconds(10));
  gone = nullptr;
  line.run(milliseconds(30));
  EXPECT_EQ(line.rung, std::vector<Sleeper*>{stays.get()});
}

TEST(EventLoop, OneThatIsRungMayEndAnotherAndBringInANewOne) {
  Line line;
  const auto first = line.sleeper(milliseconds(1));
  auto second = line.sleeper(milliseconds(1));
  std::unique_ptr<Sleeper> late;
  first->then = [&] {
    second = nullptr;
    late = line.sleeper(milliseconds(10));
  };
  line.run(milliseconds(30));
  EXPECT_EQ(line.rung, (std::vector<Sleeper*>{first.get(), late.get()}));
}

TEST(EventLoop, DoesWhatOtherThreadsPostInTheirOrder) {
  EventLoop loop;
  constexpr int calls = 1000, threads = 3;
  std::array<std::vector<int>, threads> seen;
  int left = calls * threads;
  std::vector<std::thread> posters;
  for (int number = 0; number < threads; ++number) {
    posters.emplace_back([&, number] {
      for (int at = 0; at < calls; ++at) {
        loop.post([&, number, at] {
          seen[static_cast<std::size_t>(number)].push_back(at);
          if (--left == 0) loop.stop();
        });
      }
    });
  }
  loop.run();
  for (std::thread& each : posters) each.join();
  for (const std::vector<int>& of_one : seen) {
    EXPECT_EQ(of_one.size(), static_cast<std::size_t>(calls));
    EXPECT_TRUE(std::ranges::is_sorted(of_one));
  }
}

TEST(EventLoop, DestroysWhatNobodyCameToDo) {
  const auto held = std::make_shared<int>(1);
  {
    EventLoop loop;
    loop.post([held] { FAIL() << "the loop never turned"; });
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);
}

struct Unwatched final : EventSource {
  explicit Unwatched(EventLoop& the_loop) : loop(the_loop) { loop.watch_soon(*this); }
  ~Unwatched() override { loop.forget(*this); }
  void on_events(std::uint32_t) override {}
  void on_watch_due() override {
    ++times;
    if (then) then();
  }
  EventLoop& loop;
  int times = 0;
  std::function<void()> then;
};

TEST(EventLoop, WhoIsToBeWatchedSoonIsBeforeTheLoopSleeps) {
  EventLoop loop;
  Unwatched first(loop), forgotten(loop), last(loop);
  loop.forget(forgotten);
  last.then = [&] { loop.stop(); };
  loop.run();
  loop.poll();
  EXPECT_EQ(first.times, 1);
  EXPECT_EQ(forgotten.times, 0);
  EXPECT_EQ(last.times, 1);
}

// Others come and go meanwhile, in the line before and behind it.
TEST(EventLoop, WhoIsToBeWatchedSoonIsThoughTheLoopNeverSleeps) {
  struct Busy final : EventSource {
    explicit Busy(EventLoop& the_loop) : loop(the_loop) { loop.defer(*this); }
    void on_events(std::uint32_t) override {}
    void on_turn() override {
      fleeting = std::make_unique<Unwatched>(loop);
      loop.touch();
      loop.defer(*this);
    }
    EventLoop& loop;
    std::unique_ptr<Unwatched> fleeting;
  };
  EventLoop loop;
  auto before = std::make_unique<Unwatched>(loop);
  Unwatched stays(loop);
  before = nullptr;
  Busy busy(loop);
  const Instant start = std::chrono::steady_clock::now();
  stays.then = [&] { loop.stop(); };
  loop.run();
  EXPECT_EQ(stays.times, 1);
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(1)) << "it might have been done by itself";
  EXPECT_EQ(busy.fleeting->times, 0);
}

// A source that always has more to do gets one turn in a round, and so do the others.
TEST(EventLoop, WhoDefersHimselfKeepsNobodyWaiting) {
  struct Busy final : EventSource {
    explicit Busy(EventLoop& the_loop) : loop(the_loop) { loop.defer(*this); }
    void on_events(std::uint32_t) override {}
    void on_turn() override {
      ++turns;
      if (++*all == 300) {
        loop.stop();
      } else {
        loop.defer(*this);
      }
    }
    EventLoop& loop;
    int turns = 0;
    int* all = nullptr;
  };
  EventLoop loop;
  int all = 0;
  std::array<Busy, 3> busy{Busy(loop), Busy(loop), Busy(loop)};
  for (Busy& each : busy) each.all = &all;
  loop.run();
  for (const Busy& each : busy) EXPECT_EQ(each.turns, 100);
}

// Two hundred sources of low priority with news, and two without: one that has news, one that has more to do.
TEST(EventLoop, ThoseOfLowPriorityGetAFewTurnsBetweenTheOthers) {
  struct Source final : EventSource {
    void on_events(std::uint32_t) override { told->push_back(this); }
    void on_turn() override {
      told->push_back(this);
      if (--turns > 0) loop->defer(*this);
    }
    std::vector<Source*>* told = nullptr;
    EventLoop* loop = nullptr;
    int turns = 0;
  };
  EventLoop loop;
  std::vector<Source*> told;
  std::array<Source, 200> flood;
  Source news, busy;
  std::vector<std::array<int, 2>> pairs;
  const auto has_news = [&](Source& source) {
    source.told = &told;
    source.loop = &loop;
    std::array<int, 2>& ends = pairs.emplace_back();
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    ASSERT_FALSE(loop.watch(ends[0], source));  // an edge: it is writable
  };
  for (Source& each : flood) {
    each.set_low_priority(true);
    has_news(each);
  }
  has_news(news);
  busy.told = &told;
  busy.loop = &loop;
  busy.turns = 5;
  loop.defer(busy);
  loop.poll();
  ASSERT_EQ(told.size(), 206U);
  EXPECT_EQ(told[0], &news);
  EXPECT_EQ(told[1], &busy);
  for (int turn = 1; turn < 5; ++turn) {
    const auto before = std::find(told.begin() + 2, told.end(), &busy);
    EXPECT_LE(before - told.begin(), 2 + 17 * 1) << "the flood was served before its turn " << turn;
    told.erase(told.begin() + 2, before + 1);
  }
  for (Source& each : flood) loop.forget(each);
  loop.forget(news);
  for (const auto& ends : pairs) {
    ::close(ends[0]);
    ::close(ends[1]);
  }
}

// Both have news in one look; whoever is told first has the other forgotten, and perhaps destroyed.
TEST(EventLoop, WhoIsForgottenIsNotToldWhatWasFetchedForHim) {
  struct Source final : EventSource {
    explicit Source(EventLoop& the_loop) : loop(the_loop) {
      EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
      EXPECT_FALSE(loop.watch(ends[0], *this));  // an edge: it is writable
    }
    ~Source() override {
      ::close(ends[0]);
      ::close(ends[1]);
    }
    void on_events(std::uint32_t) override {
      ++told;
      loop.forget(*other);
    }
    EventLoop& loop;
    std::array<int, 2> ends{};
    Source* other = nullptr;
    int told = 0;
  };
  EventLoop loop;
  Source one(loop), two(loop);
  one.other = &two;
  two.other = &one;
  loop.poll();
  EXPECT_EQ(one.told + two.told, 1);
}

}  // namespace
}  // namespace sekisho::proxy
