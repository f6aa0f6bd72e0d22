// Sekisho's own limiter in the comparison.
#pragma once

#include <cstddef>

#include "bench/limiter/terms.hpp"
#include "ratelimit/limiter.hpp"

namespace sekisho::bench {

class OurLimiter {
 public:
  static constexpr const char* name = "limiter";
  static constexpr bool judges = true;

  OurLimiter(const ratelimit::Quota& quota, std::size_t clients, ratelimit::Instant start)
      : limiter_(quota, clients, start) {}

  Answer charge(ratelimit::Key key, ratelimit::Instant now) {
    const auto verdict = limiter_.charge(key, now);
    return {verdict.admitted, verdict.remaining};
  }
  void prefetch(ratelimit::Key key) const { limiter_.prefetch(key); }

 private:
  ratelimit::Limiter limiter_;
};

}  // namespace sekisho::bench
