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

}  // namespace

MemoryReturn::MemoryReturn(std::vector<const Count*> held) {
  for (const Count* count : held) workers_.push_back({count, 0});
}

void MemoryReturn::look(std::chrono::steady_clock::time_point now) {
  std::uint64_t fell = 0;
  for (Worker& worker : workers_) {
    const std::uint64_t held = worker.held->get();
    worker.most = std::max(worker.most, held);
    fell += worker.most - held;
  }
  const auto pause = fell >= much ? soon : now_and_then;
  if (fell < little || now - last_ < pause) return;
  for (Worker& worker : workers_) worker.most = worker.held->get();
  last_ = now;
  ::malloc_trim(0);
}

}  // namespace sekisho::proxy
