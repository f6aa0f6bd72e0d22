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
// malloc_trim leaves the free end of a thread's heap alone, and by itself malloc lets that grow to twice the
// largest block that was ever freed.
constexpr int most_at_the_end_of_a_heap = 1024 * 1024;

}  // namespace

MemoryReturn::MemoryReturn(std::vector<Counters*> workers) {
  for (Counters* counters : workers) workers_.push_back({counters, 0});
  ::mallopt(M_TRIM_THRESHOLD, most_at_the_end_of_a_heap);
}

void MemoryReturn::look(std::chrono::steady_clock::time_point now) {
  std::uint64_t fell = 0;
  for (Worker& worker : workers_) {
    const std::uint64_t held = worker.counters->buffer_bytes.get();
    worker.most = std::max({worker.most, worker.counters->buffer_peak.take(held), held});
    fell += worker.most - held;
  }
  const auto pause = fell >= much ? soon : now_and_then;
  if (fell < little || now - last_ < pause) return;
  for (Worker& worker : workers_) worker.most = worker.counters->buffer_bytes.get();
  last_ = now;
  ::malloc_trim(0);
}

}  // namespace sekisho::proxy
