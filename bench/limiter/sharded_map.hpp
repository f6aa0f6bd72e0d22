// Flat maps in 64 shards, each under a mutex of its own.
#pragma once

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <mutex>

#include "bench/limiter/terms.hpp"

namespace sekisho::bench {

class ShardedMap {
 public:
  static constexpr const char* name = "sharded_map";
  static constexpr bool judges = true;

  ShardedMap(const ratelimit::Quota& quota, std::size_t clients, ratelimit::Instant start)
      : terms_(quota, start) {
    for (Shard& shard : shards_) shard.values.reserve(clients / count);
  }

  // A call, as to a library: not part of the loop that measures it.
  [[gnu::noinline]] Answer charge(ratelimit::Key key, ratelimit::Instant now) {
    const std::uint64_t units = terms_.units(now);
    Shard& shard = shards_[(key.high >> 8) % count];  // other bits than the map looks at
    const std::lock_guard lock(shard.mutex);
    return charge_value(shard.values.try_emplace(key, units).first->second, units, terms_);
  }

 private:
  static constexpr std::size_t count = 64;
  struct alignas(64) Shard {
    std::mutex mutex;
    boost::unordered_flat_map<ratelimit::Key, std::uint64_t, KeyHash> values;
  };

  const Terms terms_;
  std::array<Shard, count> shards_;
};

}  // namespace sekisho::bench
