#include "proxy/memory_return.hpp"

#include <malloc.h>

#include <algorithm>

namespace sekisho::proxy {
namespace {

constexpr std::uint64_t worth_it = 8 * 1024 * 1024;
constexpr auto shortest_pause = std::chrono::seconds(1);

}  // namespace

MemoryReturn::MemoryReturn(std::vector<const Count*> held) {
  for (const Count* count : held) workers_.push_back({count, 0});
}

void MemoryReturn::look(std::chrono::steady_clock::time_point now) {
  bool fell = false;
  for (Worker& worker : workers_) {
    const std::uint64_t held = worker.held->get();
    worker.most = std::max(worker.most, held);
    fell = fell || worker.most - held >= worth_it;
  }
  if (!fell || now < next_) return;
  for (Worker& worker : workers_) worker.most = worker.held->get();
  next_ = now + shortest_pause;
  ::malloc_trim(0);
}

}  // namespace sekisho::proxy
