#include "proxy/turn_timer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

namespace sekisho::proxy {
namespace {

using std::chrono::milliseconds;

struct Sleeper final : StreamListener {
  Sleeper(TurnTimer& timer, Instant at, std::vector<Sleeper*>& rung_before)
      : turn(at, *this), rung(rung_before) {
    timer.add(turn);
  }
  void on_stream() override {
    EXPECT_GE(std::chrono::steady_clock::now(), turn.at) << "nobody early";
    rung.push_back(this);
    if (then) then();
  }
  Turn turn;
  std::vector<Sleeper*>& rung;
  std::function<void()> then;
};

struct Line {
  std::unique_ptr<Sleeper> sleeper(milliseconds after) {
    return std::make_unique<Sleeper>(timer, start + after, rung);
  }
  asio::io_context io;
  TurnTimer timer{io};
  Instant start = std::chrono::steady_clock::now();
  std::vector<Sleeper*> rung;
};

TEST(TurnTimer, RingsEachOnceInTheOrderOfTheirTimes) {
  Line line;
  const auto third = line.sleeper(milliseconds(60)), first = line.sleeper(milliseconds(20)),
             second = line.sleeper(milliseconds(40)), past = line.sleeper(milliseconds(-5));
  line.io.run();
  EXPECT_EQ(line.rung, (std::vector<Sleeper*>{past.get(), first.get(), second.get(), third.get()}));
}

// What one that was late by a slot of the wheel would never do: it is the best of many that is looked at,
// since a machine under load lets any one of them wait.
TEST(TurnTimer, RingsWithinMilliseconds) {
  Line line;
  auto least = milliseconds::max();
  std::vector<std::unique_ptr<Sleeper>> sleepers;
  for (int at = 1; at <= 20; ++at) {
    sleepers.push_back(line.sleeper(milliseconds(7 * at)));
    sleepers.back()->then = [&, turn = &sleepers.back()->turn] {
      const auto late = std::chrono::steady_clock::now() - turn->at;
      least = std::min(least, std::chrono::duration_cast<milliseconds>(late));
    };
  }
  line.io.run();
  EXPECT_EQ(line.rung.size(), 20U);
  EXPECT_LT(least, milliseconds(20));
}

TEST(TurnTimer, WhoHasGoneIsNotRungAndKeepsNobodyBack) {
  Line line;
  auto gone = line.sleeper(milliseconds(5));
  const auto stays = line.sleeper(milliseconds(10));
  gone = nullptr;
  line.io.run();
  EXPECT_EQ(line.rung, std::vector<Sleeper*>{stays.get()});
}

TEST(TurnTimer, OneThatIsRungMayEndAnotherAndBringInANewOne) {
  Line line;
  const auto first = line.sleeper(milliseconds(1));
  auto second = line.sleeper(milliseconds(1));
  std::unique_ptr<Sleeper> late;
  first->then = [&] {
    second = nullptr;
    late = line.sleeper(milliseconds(10));
  };
  line.io.run();
  EXPECT_EQ(line.rung, (std::vector<Sleeper*>{first.get(), late.get()}));
}

}  // namespace
}  // namespace sekisho::proxy
