// Every deadline of a worker, driven by its one coarse tick.
#pragma once

#include <array>
#include <boost/intrusive/list.hpp>
#include <cstddef>

#include "ratelimit/instant.hpp"

namespace sekisho::proxy {

using ratelimit::Duration;
using ratelimit::Instant;

// Something with a deadline. Moving the deadline later costs one store: the wheel finds out when the old one
// comes up.
class DeadlineNode
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  virtual ~DeadlineNode() = default;
  virtual void on_deadline(Instant now) = 0;

 private:
  friend class DeadlineWheel;
  Instant deadline_ = Instant::max();
  Instant slot_ = Instant::max();  // when the wheel will look at it
};

// A hashed wheel of 100 ms slots. A deadline never fires before its time, and fires by the end of the slot
// that it lies in, if turn() is called at each next_turn(). What has to be nearer than that: LoopTimer.
// One worker's.
class DeadlineWheel {
 public:
  static constexpr Duration slot_length = std::chrono::milliseconds(100);

  explicit DeadlineWheel(Instant now) : turned_(now - now.time_since_epoch() % slot_length) {}
  void set(DeadlineNode& node, Instant deadline) {
    node.deadline_ = deadline;
    if (deadline >= node.slot_) return;
    insert(node);
  }
  void clear(DeadlineNode& node) {
    node.unlink();
    node.deadline_ = node.slot_ = Instant::max();
  }
  // Fires what is due. A node may be destroyed or set again in its own on_deadline; others may be, too.
  void turn(Instant now);
  // The end of the present slot.
  Instant next_turn() const { return turned_ + slot_length; }

 private:
  static constexpr std::size_t slots = 1024;
  using List = boost::intrusive::list<DeadlineNode, boost::intrusive::constant_time_size<false>>;

  void insert(DeadlineNode& node);
  static std::size_t index(Instant at) {
    return static_cast<std::size_t>(at.time_since_epoch() / slot_length) % slots;
  }

  Instant turned_;  // the begin of the present slot
  std::array<List, slots> lists_;
};

}  // namespace sekisho::proxy
