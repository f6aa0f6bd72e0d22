// What became of bans, on its way from the workers to the log.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "ratelimit/ban_entry.hpp"

namespace sekisho::ratelimit {

struct BanEvent {
  enum class Kind : std::uint8_t {
    set,
    over,
    lifted,
    evicted,  // the full table gave it up before its end
  };
  Kind kind = Kind::set;
  BanEntry ban;
};

struct BanNews {
  std::deque<BanEvent> events;  // in the order in which they came about
  std::uint64_t dropped = 0;    // beside these
};

// Bounded: what does not fit is counted. Both ends take a time that does not depend on how many wait. Not
// thread-safe.
class BanEvents {
 public:
  // A beginning and an end for each ban that can be listed (BanList).
  static constexpr std::size_t max_waiting = 131072;

  void add(BanEvent::Kind kind, const BanEntry& ban);
  // Those since the last call.
  BanNews take();
  // In all.
  std::uint64_t dropped() const { return dropped_; }

 private:
  BanNews waiting_;
  std::uint64_t dropped_ = 0;
};

}  // namespace sekisho::ratelimit
