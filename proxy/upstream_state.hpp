// What all workers and the control thread share about one upstream: whether it answers, and how many requests are with it.
#pragma once

#include <atomic>
#include <cstdint>

namespace sekisho::proxy {

// Written by the health checker and (for in_flight and queued, only where max_in_flight is set) by the permit counter.
struct alignas(64) UpstreamState {
  std::atomic<bool> ever_reached{false};  // a connection was once made
  std::atomic<bool> healthy{true};        // the last connect did not fail
  alignas(64) std::atomic<std::uint64_t> in_flight{0};
  std::atomic<std::uint64_t> queued{0};
  bool can_serve() const { return ever_reached.load(std::memory_order_relaxed) && healthy.load(std::memory_order_relaxed); }
};

}  // namespace sekisho::proxy
