#include "proxy/task.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "proxy/wakeup.hpp"

namespace sekisho::proxy {
namespace {

Task<int> doubled(Wakeup& wakeup, int n) {
  co_await wakeup;
  co_return 2 * n;
}

Task<void> sum(Wakeup& wakeup, int& into) {
  into += co_await doubled(wakeup, 1);
  into += co_await doubled(wakeup, 10);
}

TEST(Task, RunsFromRingToRing) {
  Wakeup wakeup;
  int total = 0;
  Task<void> root = sum(wakeup, total);
  EXPECT_EQ(total, 0);
  root.start();
  EXPECT_EQ(total, 0);
  wakeup.ring();
  EXPECT_EQ(total, 2);
  EXPECT_FALSE(root.done());
  wakeup.ring();
  EXPECT_EQ(total, 22);
  EXPECT_TRUE(root.done());
}

TEST(Task, ARingBeforeTheSleepIsNotLost) {
  Wakeup wakeup;
  wakeup.ring();
  int total = 0;
  Task<void> root = sum(wakeup, total);
  root.start();
  EXPECT_EQ(total, 2);
}

Task<void> thrower(Wakeup& wakeup) {
  co_await wakeup;
  throw std::runtime_error("inner");
}

Task<void> catcher(Wakeup& wakeup, std::string& caught) {
  try {
    co_await thrower(wakeup);
  } catch (const std::runtime_error& error) {
    caught = error.what();
  }
}

TEST(Task, ExceptionsGoToTheAwaiter) {
  Wakeup wakeup;
  std::string caught;
  Task<void> root = catcher(wakeup, caught);
  root.start();
  wakeup.ring();
  EXPECT_EQ(caught, "inner");
  EXPECT_TRUE(root.done());
}

TEST(Task, DestroyingASleepingTaskDestroysItsFrames) {
  struct Flag {
    bool& destroyed;
    ~Flag() { destroyed = true; }
  };
  bool destroyed = false;
  Wakeup wakeup;
  {
    auto sleeper = [](Wakeup& w, bool& d) -> Task<void> {
      Flag flag{d};
      co_await w;
    };
    Task<void> root = sleeper(wakeup, destroyed);
    root.start();
    EXPECT_FALSE(destroyed);
  }
  EXPECT_TRUE(destroyed);
}

}  // namespace
}  // namespace sekisho::proxy
