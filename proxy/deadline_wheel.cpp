#include "proxy/deadline_wheel.hpp"

#include <algorithm>

namespace sekisho::proxy {

void DeadlineWheel::insert(DeadlineNode& node) {
  node.unlink();
  // What lies beyond the wheel's horizon is looked at once a turn of the wheel.
  const Instant horizon = turned_ + slot_length * (slots - 2);
  node.slot_ = std::clamp(node.deadline_, turned_, horizon);
  lists_[index(node.slot_)].push_back(node);
}

void DeadlineWheel::turn(Instant now) {
  List due;
  // A slot is looked at when it is wholly past, so that nothing fires early.
  for (; turned_ + slot_length <= now; turned_ += slot_length) {
    due.splice(due.end(), lists_[index(turned_)]);
  }
  while (!due.empty()) {
    DeadlineNode& node = due.front();
    if (node.deadline_ > now) {
      insert(node);
      continue;
    }
    node.unlink();
    node.deadline_ = node.slot_ = Instant::max();
    node.on_deadline(now);
  }
}

}  // namespace sekisho::proxy
