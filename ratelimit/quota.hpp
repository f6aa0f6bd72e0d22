// What a limit promises, as numbers: COUNT per PERIOD with a burst.
#pragma once

#include <cstdint>

#include "ratelimit/instant.hpp"

namespace sekisho::ratelimit {

// `count` tokens come back every `period`; at most `burst` can be spent at once. All three are above zero.
struct Quota {
  std::uint64_t count = 1;
  Duration period = std::chrono::seconds(1);
  std::uint64_t burst = 1;
  friend bool operator==(const Quota&, const Quota&) = default;
};

}  // namespace sekisho::ratelimit
