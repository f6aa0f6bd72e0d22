#include "proxy/deadline_wheel.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

namespace sekisho::proxy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Alarm final : DeadlineNode {
  void on_deadline(Instant now) override {
    ++fired;
    at = now;
  }
  int fired = 0;
  Instant at{};
};

const Instant start{seconds(1000) + milliseconds(77)};

TEST(DeadlineWheel, FiresOnceNeverEarlyAndByTheEndOfItsSlot) {
  std::mt19937_64 random(7);
  DeadlineWheel wheel(start);
  std::vector<std::unique_ptr<Alarm>> alarms;
  std::vector<Instant> due;
  for (int i = 0; i < 500; ++i) {
    alarms.push_back(std::make_unique<Alarm>());
    due.push_back(start + milliseconds(random() % 300'000));
    wheel.set(*alarms.back(), due.back());
  }
  for (Instant now = start; now <= start + seconds(302); now = wheel.next_turn()) {
    wheel.turn(now);
  }
  for (std::size_t i = 0; i < alarms.size(); ++i) {
    ASSERT_EQ(alarms[i]->fired, 1) << i;
    EXPECT_GE(alarms[i]->at, due[i]);
    EXPECT_LE(alarms[i]->at, due[i] + DeadlineWheel::slot_length);
  }
}

TEST(DeadlineWheel, MovingADeadlineLaterOrEarlierHolds) {
  DeadlineWheel wheel(start);
  Alarm later, earlier;
  wheel.set(later, start + seconds(1));
  wheel.set(later, start + seconds(5));
  wheel.set(earlier, start + seconds(60));
  wheel.set(earlier, start + seconds(2));
  wheel.turn(start + seconds(3));
  EXPECT_EQ(later.fired, 0);
  EXPECT_EQ(earlier.fired, 1);
  wheel.turn(start + seconds(6));
  EXPECT_EQ(later.fired, 1);
}

TEST(DeadlineWheel, AClearedOrDestroyedNodeIsForgotten) {
  DeadlineWheel wheel(start);
  Alarm cleared;
  wheel.set(cleared, start + seconds(1));
  wheel.clear(cleared);
  {
    Alarm gone;
    wheel.set(gone, start + seconds(1));
  }
  wheel.turn(start + seconds(2));
  EXPECT_EQ(cleared.fired, 0);
}

TEST(DeadlineWheel, ANodeMayDestroyAnotherThatIsDue) {
  struct Killer final : DeadlineNode {
    void on_deadline(Instant) override { victim.reset(); }
    std::unique_ptr<Alarm> victim = std::make_unique<Alarm>();
  };
  DeadlineWheel wheel(start);
  Killer killer;
  wheel.set(killer, start + seconds(1));
  wheel.set(*killer.victim, start + seconds(1));
  wheel.turn(start + seconds(2));
  EXPECT_EQ(killer.victim, nullptr);
}

}  // namespace
}  // namespace sekisho::proxy
