#include "proxy/once_a_minute.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace sekisho::proxy {
namespace {

using namespace std::chrono_literals;

TEST(OnceAMinute, IsDueAtOnceAndThenAfterEachMinute) {
  OnceAMinute once;
  const ratelimit::Instant begin{};
  EXPECT_TRUE(once.due(begin));
  EXPECT_FALSE(once.due(begin));
  EXPECT_FALSE(once.due(begin + 59s));
  EXPECT_TRUE(once.due(begin + 60s));
  EXPECT_FALSE(once.due(begin + 119s));
  EXPECT_TRUE(once.due(begin + 10min));
}

TEST(OnceAMinute, IsDueToOneOfManyThreads) {
  OnceAMinute once;
  std::atomic<int> said = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int second = 0; second < 600; ++second) said += once.due(ratelimit::Instant(second * 1s)) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(said, 1);
  EXPECT_LE(said, 10);
}

}  // namespace
}  // namespace sekisho::proxy
