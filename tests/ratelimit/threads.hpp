// Threads that start together.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

namespace sekisho::test {

// Runs `work(number)` on `count` threads that all wait for the last one to be there, and joins them.
template <class Work>
void together(int count, Work work) {
  std::atomic<int> waiting{count};
  std::vector<std::thread> threads;
  for (int number = 0; number < count; ++number) {
    threads.emplace_back([&, number] {
      waiting.fetch_sub(1);
      while (waiting.load() > 0) std::this_thread::yield();
      work(number);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace sekisho::test
