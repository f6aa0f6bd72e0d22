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
  // A request that finds no token is admitted all the same if one comes back for it within this: it has to
  // wait for that (Decision::wait).
  Duration delay{};
  friend bool operator==(const Quota&, const Quota&) = default;
};

}  // namespace sekisho::ratelimit
