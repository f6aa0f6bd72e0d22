#include "proxy/memory_return.hpp"

#include <malloc.h>

#include <algorithm>

namespace sekisho::proxy {
namespace {

// So much is given back soon; little, now and then.
constexpr std::uint64_t much = 8 * 1024 * 1024;
constexpr std::uint64_t little = 256 * 1024;
constexpr auto soon = std::chrono::seconds(1);
constexpr auto now_and_then = std::chrono::seconds(5);
// A worker gives back by halves what it no longer needs, a tick after the other: what is freed after the last
// one would stay for good.
constexpr unsigned quiet_enough = 3;  // looks
// malloc_trim leaves the free end of a thread's heap alone, and by itself malloc lets that grow to twice the
// largest block that was ever freed.
constexpr int most_at_the_end_of_a_heap = 1024 * 1024;

}  // namespace

MemoryReturn::MemoryReturn(std::vector<Counters*> workers) {
  for (Counters* counters : workers) workers_.push_back({counters, 0, 0});
  ::mallopt(M_TRIM_THRESHOLD, most_at_the_end_of_a_heap);
}

bool MemoryReturn::look(std::chrono::steady_clock::time_point now) {
  std::uint64_t fell = 0;
  bool quiet = true;
  for (Worker& worker : workers_) {
    const std::uint64_t held = worker.counters->heap.held();
    const std::uint64_t most = worker.counters->heap.take_most(held);
    quiet = quiet && held == worker.held && most == held;
    worker.held = held;
    worker.most = std::max(worker.most, most);
    fell += worker.most - held;
  }
  quiet_looks_ = quiet ? quiet_looks_ + 1 : 0;
  const auto pause = fell >= much || quiet_looks_ >= quiet_enough ? soon : now_and_then;
  if (fell < little || now - last_ < pause) return false;
  for (Worker& worker : workers_) worker.most = worker.held;
  last_ = now;
  ::malloc_trim(0);
  return true;
}

}  // namespace sekisho::proxy
