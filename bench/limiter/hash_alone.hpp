// What hashing the keys takes of every other figure.
#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>

#include "bench/limiter/terms.hpp"
#include "ratelimit/key.hpp"
#include "ratelimit/quota.hpp"

namespace sekisho::bench {

class HashAlone {
 public:
  static constexpr const char* name = "hash";
  static constexpr bool judges = false;

  HashAlone(const ratelimit::Quota&, std::size_t, ratelimit::Instant) {}

  Answer charge(ratelimit::Key key, ratelimit::Instant) {
    benchmark::DoNotOptimize(key);
    return {true, 0};
  }
};

}  // namespace sekisho::bench
