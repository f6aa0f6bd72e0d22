// Bans as they are set, on their way from the workers to the control thread's log.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "ratelimit/instant.hpp"

namespace sekisho::policy {

struct BanEvent {
  enum class Kind : std::uint8_t { ban, unban };
  Kind kind = Kind::ban;
  std::string limit;
  std::string client;  // an address, a network or a key, as in the list of bans
  ratelimit::Duration length{};
  unsigned repetition = 1;
};

// Thread-safe. Cold: touched only when a ban is set and once per turn of the control thread. Bounded: under a
// flood of new bans the bans hold, and what is dropped here is counted.
class BanEvents {
 public:
  static constexpr std::size_t max_waiting = 4096;

  void push(BanEvent event);
  // What came since the last call, in order.
  std::vector<BanEvent> take();
  // Events dropped so far.
  std::uint64_t dropped() const;

 private:
  mutable std::mutex mutex_;
  std::vector<BanEvent> waiting_;
  std::uint64_t dropped_ = 0;
};

}  // namespace sekisho::policy
