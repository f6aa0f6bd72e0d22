// Gives memory that a burst needed back to the system.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "proxy/counters.hpp"

namespace sekisho::proxy {

// malloc keeps what is freed, and each thread's for that thread: bursts of slow readers that meet one worker
// after the other would add up to workers times upstream.buffer.total. Control thread; a worker that needs
// memory from malloc at that very moment waits for it, some milliseconds where 64 MiB are given back.
class MemoryReturn {
 public:
  // Watches what each worker holds in buffers; the counters outlive this.
  explicit MemoryReturn(std::vector<Counters*> workers);

  // Gives back what the workers hold less than they did: where that is much, once a second at most, else
  // every few seconds.
  void look(std::chrono::steady_clock::time_point now);

 private:
  struct Worker {
    Counters* counters;
    std::uint64_t most;  // that it held since memory was last given back
  };
  std::vector<Worker> workers_;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace sekisho::proxy
