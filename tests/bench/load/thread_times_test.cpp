#include "bench/load/thread_times.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <thread>

namespace sekisho::load {
namespace {

TEST(ThreadTimes, GrowWithWork) {
  const std::int64_t before = thread_times().cpu;
  while (thread_times().cpu == before) {
  }
  SUCCEED();
}

// Two threads that never sleep on one processor: one always waits for the other.
TEST(ThreadTimes, OfAThreadThatAnotherKeepsFromItsProcessor) {
  if (!thread_times().waited) GTEST_SKIP() << "this kernel does not count it";
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(::sched_getcpu(), &one);
  std::atomic<bool> enough{false};
  std::thread other([&] {
    EXPECT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    while (!enough) {
    }
  });
  std::thread waiting([&] {
    EXPECT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    const std::int64_t before = *thread_times().waited;
    while (*thread_times().waited - before < 50'000'000) {
    }
    enough = true;
  });
  waiting.join();
  other.join();
}

}  // namespace
}  // namespace sekisho::load
