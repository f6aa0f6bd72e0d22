// A counted resource shared by all workers, with one bounded first-in-first-out queue for those who must
// wait.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

namespace sekisho::proxy {

class DetachedStream;

// One request that waits for a permit. Owned by the queue and the waiter together.
struct PermitWaiter {
  // Called once, on the releasing thread, when a permit was handed over; must only post to the waiter's
  // worker.
  std::function<void()> granted;
  // Where the permit is for a connection: the one that came along, or null. Set before `granted` is called.
  std::shared_ptr<DetachedStream> connection;
  bool queued = false;  // guarded by the queue's mutex
};

// try_acquire and release touch one atomic while nobody waits; the mutex is taken only when permits are out.
// A permit that is handed over never becomes free in between, so nobody can overtake the queue. Thread-safe.
class Permits {
 public:
  // `limit` 0: no bound, and nothing is counted.
  explicit Permits(std::uint64_t limit)
      : limit_(static_cast<std::int64_t>(limit)), free_(static_cast<std::int64_t>(limit)) {}

  bool bounded() const { return limit_.load(std::memory_order_relaxed) != 0; }
  // False when none is free or somebody waits already.
  bool try_acquire();
  enum class Enqueue : std::uint8_t { acquired, queued, full };
  // Joins the queue unless a permit came free meanwhile or `max_waiting` wait already.
  Enqueue enqueue(const std::shared_ptr<PermitWaiter>& waiter, std::uint64_t max_waiting);
  // Leaves the queue. False when the permit was handed over already: the caller owns it and must release it.
  bool cancel(const std::shared_ptr<PermitWaiter>& waiter);
  void release();
  // For a holder that passes its permit on by itself, with what it stands for: the first of the queue, taken
  // out of it; its `granted` must be called. Null when nobody waits: the permit stays the caller's.
  std::shared_ptr<PermitWaiter> pass_on();
  // Changes the bound while in use; from or to 0 only while nothing is held.
  void set_limit(std::uint64_t limit);

  std::uint64_t held() const;
  std::uint64_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

 private:
  bool take_free();
  void hand_over();

  std::atomic<std::int64_t> limit_;
  alignas(
      64) std::atomic<std::int64_t> free_;  // negative after set_limit lowered the bound below what is held
  std::atomic<std::uint64_t> waiting_{0};
  std::mutex mutex_;
  std::deque<std::shared_ptr<PermitWaiter>> queue_;
};

}  // namespace sekisho::proxy
