// A limiter as it is written first: one std::unordered_map under one mutex.
#pragma once

#include <cstddef>
#include <mutex>
#include <unordered_map>

#include "bench/limiter/terms.hpp"

namespace sekisho::bench {

class MutexedMap {
 public:
  static constexpr const char* name = "mutexed_map";
  static constexpr bool judges = true;

  MutexedMap(const ratelimit::Quota& quota, std::size_t clients, ratelimit::Instant start)
      : terms_(quota, start) {
    values_.reserve(clients);
  }

  // A call, as to a library: not part of the loop that measures it.
  [[gnu::noinline]] Answer charge(ratelimit::Key key, ratelimit::Instant now) {
    const std::uint64_t units = terms_.units(now);
    const std::lock_guard lock(mutex_);
    return charge_value(values_.try_emplace(key, units).first->second, units, terms_);
  }

 private:
  const Terms terms_;
  std::mutex mutex_;
  std::unordered_map<ratelimit::Key, std::uint64_t, KeyHash> values_;
};

}  // namespace sekisho::bench
