// Sekisho's own limiter in the comparison.
#pragma once

#include <cstddef>

#include "ratelimit/limiter.hpp"

namespace sekisho::bench {

class OurLimiter {
 public:
  static constexpr const char* name = "limiter";
  static constexpr bool judges = true;

  OurLimiter(const ratelimit::Quota& quota, std::size_t clients, ratelimit::Instant start)
      : limiter_(quota, clients, start) {}

  bool charge(ratelimit::Key key, ratelimit::Instant now) { return limiter_.charge(key, now).admitted; }
  void prefetch(ratelimit::Key key) const { limiter_.prefetch(key); }

 private:
  ratelimit::Limiter limiter_;
};

}  // namespace sekisho::bench
