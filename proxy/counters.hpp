// One worker's counts: written by that worker alone, summed by the scraper.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "proxy/policy/outcome.hpp"

namespace sekisho::proxy {

// A counter or gauge with one writer: no locked instruction, and never torn for the reader.
class Count {
 public:
  void add(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void subtract(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed);
  }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// The most that a gauge has been since somebody last asked: what rises and falls between two looks is seen
// too.
class Peak {
 public:
  // The gauge's one writer, after it rose.
  void see(std::uint64_t value) {
    if (value > most_.load(std::memory_order_relaxed)) most_.store(value, std::memory_order_relaxed);
  }
  // One other thread. `now`: what the gauge is, from which the next peak is counted.
  std::uint64_t take(std::uint64_t now) { return most_.exchange(now, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> most_{0};
};

// What a worker took from malloc and has not freed; the control thread looks (MemoryReturn).
class HeapUse {
 public:
  void took(std::size_t bytes) {
    held_.add(bytes);
    most_.see(held_.get());
  }
  void freed(std::size_t bytes) { held_.subtract(bytes); }
  std::uint64_t held() const { return held_.get(); }
  // The most that it was since the last call, or `now` if that is more: held(), asked before.
  std::uint64_t take_most(std::uint64_t now) { return std::max(most_.take(now), now); }

 private:
  Count held_;
  Peak most_;
};

// A cumulative-on-read histogram with fixed bounds in seconds, one writer.
class Histogram {
 public:
  static constexpr std::array<double, 16> bounds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                 0.25,   0.5,   1,      2.5,   5,    10,    30,   60};
  void observe_ns(std::uint64_t ns) {
    std::size_t i = 0;
    while (i < bounds_ns.size() && ns > bounds_ns[i]) ++i;
    buckets_[i].add();
    sum_ns_.add(ns);
  }
  std::uint64_t bucket(std::size_t i) const { return buckets_[i].get(); }  // i == bounds.size(): above all
  double sum_seconds() const { return static_cast<double>(sum_ns_.get()) * 1e-9; }

 private:
  static constexpr std::array<std::uint64_t, 16> bounds_ns{
      500'000,       1'000'000,      2'500'000,      5'000'000,     10'000'000,    25'000'000,
      50'000'000,    100'000'000,    250'000'000,    500'000'000,   1'000'000'000, 2'500'000'000,
      5'000'000'000, 10'000'000'000, 30'000'000'000, 60'000'000'000};
  std::array<Count, 17> buckets_;
  Count sum_ns_;
};

struct alignas(64) Counters {
  std::array<Count, policy::outcome_count> requests;  // requests_total by outcome
  std::array<Count, 600> responses_upstream;          // responses_total{source="upstream"} by status
  std::array<Count, 600> responses_sekisho;           // responses_total{source="sekisho"} by status
  std::array<Histogram, policy::outcome_count> request_duration;
  Histogram upstream_duration;
  Histogram upstream_queue;
  Count request_bytes, response_bytes;   // body bytes from and to clients
  Count client_active, client_idle;      // gauges
  Count upstream_active, upstream_idle;  // gauges: connections
  Count upstream_in_flight;              // gauge: requests
  Count connections_refused;
  Count tunnels_active;  // gauge
  Count buffer_bytes;    // gauge: buffers held by this worker
  HeapUse heap;          // for buffers, those kept for reuse included, and for exchanges
  Count upstream_retries;
};

}  // namespace sekisho::proxy
