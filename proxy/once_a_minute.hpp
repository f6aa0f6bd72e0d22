// How often an event is said that a client can cause as often as it likes.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "ratelimit/instant.hpp"

namespace sekisho::proxy {

// For any thread.
class OnceAMinute {
 public:
  // True the first time, and then once in a minute at most: to whom it is true says it.
  bool due(ratelimit::Instant now) {
    constexpr std::int64_t minute = std::chrono::nanoseconds(std::chrono::minutes(1)).count();
    const std::int64_t at = now.time_since_epoch().count();
    std::int64_t next = next_.load(std::memory_order_relaxed);
    return at >= next && next_.compare_exchange_strong(next, at + minute, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::int64_t> next_{INT64_MIN};
};

}  // namespace sekisho::proxy
