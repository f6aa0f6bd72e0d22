// What one thread has counted of its clients.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "bench/load/histogram.hpp"

namespace sekisho::load {

enum class Failure : std::uint8_t { connect, reset, timeout, malformed };
inline constexpr std::size_t failures = 4;

// Requests count whose time, in an open loop the intended one, lies within the measured part of the run.
struct Tally {
  Histogram latency;
  std::uint64_t requests = 0;  // answered whole
  std::array<std::uint64_t, 1000> statuses{};
  std::array<std::uint64_t, failures> errors{};
  std::uint64_t bytes_in = 0, bytes_out = 0;
  std::uint64_t connections = 0;  // opened
  std::uint64_t unsent = 0;       // due, and never sent
  std::uint64_t all_busy = 0;     // of an open loop: due while no connection was free, unsent or not
  std::uint64_t unfinished = 0;   // sent, and neither answered nor failed when the run ended

  // Of the generator itself, over the measured part.
  Histogram behind;  // of an open loop: how late a request was sent that had a connection ready for it
  std::int64_t cpu = 0, wall = 0;
  std::optional<std::int64_t> waited;  // of the wall time, for a processor
  std::uint64_t answered_meanwhile = 0;
  int connect_error = 0;  // errno of the last connection that failed; 0: none did

  void add(const Tally& other);
};

// Read by the progress line while the thread writes. Each on its own line of the cache, written by one thread
// alone, and so without a locked instruction.
struct alignas(64) Progress {
  std::atomic<std::uint64_t> answered{0}, failed{0};
  std::atomic<std::uint64_t> refused{0};    // answered with 403 or 429
  std::atomic<std::uint64_t> unreached{0};  // failed as there was no connection

  static void bump(std::atomic<std::uint64_t>& counter, std::uint64_t by = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
};

}  // namespace sekisho::load
