#include "proxy/permits.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace sekisho::proxy {
namespace {

std::shared_ptr<PermitWaiter> waiter(std::function<void()> granted) {
  auto made = std::make_shared<PermitWaiter>();
  made->granted = std::move(granted);
  return made;
}

TEST(Permits, AreBounded) {
  Permits permits(2);
  EXPECT_TRUE(permits.try_acquire());
  EXPECT_TRUE(permits.try_acquire());
  EXPECT_FALSE(permits.try_acquire());
  EXPECT_EQ(permits.held(), 2u);
  permits.release();
  EXPECT_TRUE(permits.try_acquire());
}

TEST(Permits, AreHandedToTheFirstOfTheQueueByAHolderThatPassesItsOwnOn) {
  Permits permits(2);
  ASSERT_TRUE(permits.try_acquire());
  ASSERT_TRUE(permits.try_acquire());
  EXPECT_EQ(permits.pass_on(), nullptr) << "nobody waits";
  const auto first = waiter([] {}), second = waiter([] {});
  ASSERT_EQ(permits.enqueue(first, 2), Permits::Enqueue::queued);
  ASSERT_EQ(permits.enqueue(second, 2), Permits::Enqueue::queued);
  EXPECT_EQ(permits.pass_on(), first);
  EXPECT_EQ(permits.waiting(), 1u);
  EXPECT_EQ(permits.held(), 2u);
  EXPECT_FALSE(permits.cancel(first)) << "it has the permit and must give it back";
  permits.set_limit(1);
  EXPECT_EQ(permits.pass_on(), nullptr) << "there is one too many";
}

TEST(Permits, ServeTheQueueInOrderAndNobodyOvertakes) {
  Permits permits(1);
  ASSERT_TRUE(permits.try_acquire());
  std::vector<int> order;
  EXPECT_EQ(permits.enqueue(waiter([&] { order.push_back(1); }), 8), Permits::Enqueue::queued);
  EXPECT_EQ(permits.enqueue(waiter([&] { order.push_back(2); }), 8), Permits::Enqueue::queued);
  permits.release();
  EXPECT_FALSE(permits.try_acquire());
  permits.release();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  permits.release();
  EXPECT_TRUE(permits.try_acquire());
}

TEST(Permits, TheQueueIsBounded) {
  Permits permits(1);
  ASSERT_TRUE(permits.try_acquire());
  EXPECT_EQ(permits.enqueue(waiter([] {}), 1), Permits::Enqueue::queued);
  EXPECT_EQ(permits.enqueue(waiter([] {}), 1), Permits::Enqueue::full);
}

TEST(Permits, ACancelledWaiterIsNotServed) {
  Permits permits(1);
  ASSERT_TRUE(permits.try_acquire());
  bool first = false, second = false;
  const auto leaves = waiter([&] { first = true; });
  permits.enqueue(leaves, 8);
  permits.enqueue(waiter([&] { second = true; }), 8);
  EXPECT_TRUE(permits.cancel(leaves));
  permits.release();
  EXPECT_FALSE(first);
  EXPECT_TRUE(second);
  EXPECT_FALSE(permits.cancel(leaves));
}

TEST(Permits, ALoweredBoundHoldsOnceReleased) {
  Permits permits(3);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(permits.try_acquire());
  permits.set_limit(1);
  permits.release();
  permits.release();
  EXPECT_FALSE(permits.try_acquire());
  permits.release();
  EXPECT_TRUE(permits.try_acquire());
}

TEST(Permits, ARaisedBoundServesTheQueue) {
  Permits permits(1);
  ASSERT_TRUE(permits.try_acquire());
  bool granted = false;
  permits.enqueue(waiter([&] { granted = true; }), 8);
  permits.set_limit(2);
  EXPECT_TRUE(granted);
}

// Threads take, queue, cancel and release at random: never more than the bound at once, and nobody who waits
// is forgotten.
TEST(Permits, HoldTheirBoundUnderThreads) {
  constexpr int bound = 3, threads = 4, rounds = 20000;
  Permits permits(bound);
  std::atomic<int> inside{0}, worst{0};
  auto enter = [&] {
    const int now = ++inside;
    int seen = worst.load();
    while (seen < now && !worst.compare_exchange_weak(seen, now)) {
    }
  };
  std::vector<std::thread> all;
  for (int t = 0; t < threads; ++t) {
    all.emplace_back([&, t] {
      for (int i = 0; i < rounds; ++i) {
        bool held = permits.try_acquire();
        if (!held) {
          std::atomic<bool> granted{false};
          const auto mine = waiter([&] { granted.store(true); });
          const auto joined = permits.enqueue(mine, 64);
          held = joined == Permits::Enqueue::acquired;
          if (joined == Permits::Enqueue::queued) {
            const bool impatient = (i + t) % 7 == 0;
            while (!granted.load() && !impatient) std::this_thread::yield();
            held = granted.load() || !permits.cancel(mine);
          }
        }
        if (!held) continue;
        enter();
        --inside;
        permits.release();
      }
    });
  }
  for (auto& thread : all) thread.join();
  EXPECT_LE(worst.load(), bound);
  EXPECT_EQ(permits.held(), 0u);
  EXPECT_EQ(permits.waiting(), 0u);
}

}  // namespace
}  // namespace sekisho::proxy
