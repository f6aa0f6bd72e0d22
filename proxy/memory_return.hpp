// Gives memory that a burst needed back to the system.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "proxy/counters.hpp"

namespace sekisho::proxy {

// malloc keeps what is freed, and each thread's for that thread: bursts of slow readers that meet one worker
// after the other would add up to workers times upstream.buffer.total. Control thread; a worker that needs
// memory from malloc at that very moment waits for it, some milliseconds where 64 MiB are given back. Works
// as well as it does because nothing lasts in malloc's pages that a burst begins: SlabPool.
class MemoryReturn {
 public:
  // Watches what each worker took from malloc; the counters outlive this.
  explicit MemoryReturn(std::vector<Counters*> workers);

  // Gives back what the workers hold less than they did, and returns whether it did: once nothing more has
  // come or gone for a moment, or, while it does, every second where that is much, else every few seconds.
  bool look(std::chrono::steady_clock::time_point now);

 private:
  struct Worker {
    Counters* counters;
    std::uint64_t held;  // at the last look
    std::uint64_t most;  // since memory was last given back
  };
  std::vector<Worker> workers_;
  unsigned quiet_looks_ = 0;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace sekisho::proxy
