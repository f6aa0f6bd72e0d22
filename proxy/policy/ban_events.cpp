#include "proxy/policy/ban_events.hpp"

#include <utility>

namespace sekisho::policy {

void BanEvents::push(BanEvent event) {
  const std::lock_guard lock(mutex_);
  if (waiting_.size() >= max_waiting) {
    ++dropped_;
    return;
  }
  waiting_.push_back(std::move(event));
}

std::vector<BanEvent> BanEvents::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(waiting_, {});
}

std::uint64_t BanEvents::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

}  // namespace sekisho::policy
