#include "ratelimit/recent_hitters.hpp"

#include <algorithm>

namespace sekisho::ratelimit {
namespace {

// The first multiple of a generation's length after `now`.
Instant end_of_generation(Instant now) {
  return Instant(now.time_since_epoch() / RecentHitters::generation * RecentHitters::generation) +
         RecentHitters::generation;
}

}  // namespace

RecentHitters::RecentHitters(std::size_t slots, std::size_t text_bytes, Instant now)
    : generations_{HeavyHitters(slots, text_bytes), HeavyHitters(slots, text_bytes)},
      started_(now),
      ends_(end_of_generation(now)) {}

void RecentHitters::turn(Instant now) {
  if (now < ends_) return;
  const bool both_are_over = now >= ends_ + generation;
  if (both_are_over) generations_[current_].clear();
  current_ = 1 - current_;
  generations_[current_].clear();
  ends_ = end_of_generation(now);
}

Instant RecentHitters::since() const {
  return std::max(started_, ends_ - 2 * generation);
}

}  // namespace sekisho::ratelimit
