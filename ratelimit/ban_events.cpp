#include "ratelimit/ban_events.hpp"

#include <utility>

namespace sekisho::ratelimit {

void BanEvents::add(BanEvent::Kind kind, const BanEntry& ban) {
  if (waiting_.events.size() < max_waiting) {
    waiting_.events.push_back({kind, ban});
  } else {
    ++waiting_.dropped;
    ++dropped_;
  }
}

BanNews BanEvents::take() {
  return std::exchange(waiting_, {});
}

}  // namespace sekisho::ratelimit
