// What the limiter answers.
#pragma once

#include <cstdint>

#include "ratelimit/instant.hpp"

namespace sekisho::ratelimit {

struct Decision {
  bool admitted = true;
  std::uint64_t burst = 0;      // the bucket's size, in requests
  std::uint64_t remaining = 0;  // whole requests that would be admitted right after this decision
  Duration retry_after{};  // refused: until one more request would be admitted, never too short; admitted: 0
  Duration reset_after{};  // until the bucket is full again
};

}  // namespace sekisho::ratelimit
