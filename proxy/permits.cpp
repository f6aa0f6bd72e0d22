#include "proxy/permits.hpp"

#include <algorithm>

namespace sekisho::proxy {

bool Permits::take_free() {
  std::int64_t free = free_.load(std::memory_order_seq_cst);
  while (free > 0) {
    if (free_.compare_exchange_weak(free, free - 1, std::memory_order_seq_cst)) return true;
  }
  return false;
}

bool Permits::try_acquire() {
  if (waiting_.load(std::memory_order_seq_cst) != 0) return false;
  return take_free();
}

// The enqueuer raises waiting_ before it looks at free_, the releaser raises free_ before it looks at
// waiting_ (all seq_cst): one of the two sees the other, so no permit is left free beside a waiter.
Permits::Enqueue Permits::enqueue(const std::shared_ptr<PermitWaiter>& waiter, std::uint64_t max_waiting) {
  std::lock_guard lock(mutex_);
  if (queue_.size() >= max_waiting) return Enqueue::full;
  waiting_.fetch_add(1, std::memory_order_seq_cst);
  if (queue_.empty() && take_free()) {
    waiting_.fetch_sub(1, std::memory_order_seq_cst);
    return Enqueue::acquired;
  }
  waiter->queued = true;
  queue_.push_back(waiter);
  return Enqueue::queued;
}

bool Permits::cancel(const std::shared_ptr<PermitWaiter>& waiter) {
  std::lock_guard lock(mutex_);
  if (!waiter->queued) return false;
  waiter->queued = false;
  queue_.erase(std::find(queue_.begin(), queue_.end(), waiter));
  waiting_.fetch_sub(1, std::memory_order_seq_cst);
  return true;
}

void Permits::release() {
  free_.fetch_add(1, std::memory_order_seq_cst);
  if (waiting_.load(std::memory_order_seq_cst) != 0) hand_over();
}

std::shared_ptr<PermitWaiter> Permits::pass_on() {
  if (waiting() == 0) return nullptr;
  std::lock_guard lock(mutex_);
  // Above a bound that was lowered there is none to pass on.
  if (queue_.empty() || free_.load(std::memory_order_seq_cst) < 0) return nullptr;
  auto waiter = std::move(queue_.front());
  queue_.pop_front();
  waiter->queued = false;
  waiting_.fetch_sub(1, std::memory_order_seq_cst);
  return waiter;
}

void Permits::hand_over() {
  std::lock_guard lock(mutex_);
  while (!queue_.empty() && take_free()) {
    const auto waiter = std::move(queue_.front());
    queue_.pop_front();
    waiter->queued = false;
    waiting_.fetch_sub(1, std::memory_order_seq_cst);
    waiter->granted();
  }
}

void Permits::set_limit(std::uint64_t limit) {
  const auto wanted = static_cast<std::int64_t>(limit);
  const std::int64_t before = limit_.exchange(wanted);
  free_.fetch_add(wanted - before, std::memory_order_seq_cst);
  hand_over();
}

std::uint64_t Permits::held() const {
  const std::int64_t held = limit_.load(std::memory_order_relaxed) - free_.load(std::memory_order_relaxed);
  return held > 0 ? static_cast<std::uint64_t>(held) : 0;
}

}  // namespace sekisho::proxy
