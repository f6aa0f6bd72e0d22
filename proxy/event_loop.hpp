// A worker's event loop: descriptors, timers, what is done a turn later, and calls from other threads.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "ratelimit/instant.hpp"

namespace sekisho::proxy {

namespace asio = boost::asio;
using ratelimit::Duration;
using ratelimit::Instant;

// Something whose descriptor a loop watches, or that asked for a turn of its own. Out of the loop's lines by
// its destructor; who watches a descriptor calls forget() before that.
class EventSource
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  // `events` as of epoll_wait.
  virtual void on_events(std::uint32_t events) = 0;
  // The turn that defer() asked for.
  virtual void on_turn() {}
  // What watch_soon() asked for: to watch the descriptor now.
  virtual void on_watch_due() {}
  virtual ~EventSource() = default;

  // What it is told then waits behind everybody else's news: a few of those who wait get their turn between
  // two looks at the rest. So a flood of refusals, whose connections are such, does not hold up the others,
  // and is served with all the time that they leave.
  void set_low_priority(bool low) { low_priority_ = low; }

 private:
  friend class EventLoop;
  bool low_priority_ = false;
  std::uint32_t postponed_ = 0;        // events not told yet
  std::uint32_t unwatched_place_ = 0;  // one more than its place among those to be watched; 0: none of them
};

// Something to be done at a time; whoever is destroyed is not rung.
class LoopTimer
    : public boost::intrusive::set_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  // Called once for each start(), at its time or later, never early. May destroy the timer.
  virtual void on_time(Instant now) = 0;
  Instant time() const { return at_; }
  friend bool operator<(const LoopTimer& left, const LoopTimer& right) { return left.at_ < right.at_; }
  virtual ~LoopTimer() = default;

 private:
  friend class EventLoop;
  Instant at_{};
};

// epoll, edge-triggered, each descriptor registered at most once, for everything: no system call but
// epoll_wait is made for readiness, and a hang-up is told with the bytes before it (EPOLLRDHUP), so that a
// short read need not be followed by another one to know that it was all. Asio's reactor knows of no hang-up
// and therefore reads twice; docs/decisions/0007. All of it on one thread, but for post() and stop().
class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Tells `source` of every edge from here on, those that stand included.
  boost::system::error_code watch(int descriptor, EventSource& source);
  // on_watch_due() before the loop sleeps next, and within two milliseconds: a connection that is over by
  // then was never watched, which is a twentieth of what one with a single request costs. Not twice at a
  // time.
  void watch_soon(EventSource& source);
  // No on_watch_due() is due any more.
  void cancel_watch(EventSource& source);
  // Before the descriptor is closed or given away: what was fetched for the source is not told any more.
  void forget(EventSource& source);
  // The same where the descriptor lives on.
  void unwatch(int descriptor, EventSource& source);

  // on_turn() once, after the descriptors have had theirs: what one source has left to do holds up nobody.
  void defer(EventSource& source) {
    if (source.is_linked()) return;
    (source.low_priority_ ? postponed_ : deferred_).push_back(source);
  }
  // `at` may be past. A timer that runs already runs anew.
  void start(LoopTimer& timer, Instant at);
  void stop(LoopTimer& timer) { timer.unlink(); }

  // Any thread: calls `function` on the loop's thread. Where the loop never turns again, it is destroyed with
  // it.
  template <class Function>
  void post(Function&& function) {
    asio::post(mailbox_, std::forward<Function>(function));
    wake();
  }

  // Turns until stop().
  void run();
  // Any thread.
  void stop();
  // Does what can be done without waiting; returns how much that was.
  std::size_t poll();

  // The clock, read once a wake-up and again within a long one.
  Instant now() const { return now_; }
  void touch() { now_ = std::chrono::steady_clock::now(); }

 private:
  static constexpr std::size_t most_events = 256;
  static constexpr Duration unwatched_time = std::chrono::milliseconds(1);
  static constexpr std::size_t events_a_clock = 32;
  static constexpr std::size_t postponed_a_turn = 16;
  using Line = boost::intrusive::list<EventSource, boost::intrusive::constant_time_size<false>>;
  using Timers = boost::intrusive::multiset<LoopTimer, boost::intrusive::constant_time_size<false>>;

  std::size_t turn(bool may_wait);
  int fetch(bool may_wait);
  int look(int patience);
  void watch_due();
  void watch_oldest(std::size_t count);
  int patience() const;
  void wake();
  std::size_t take_events();
  std::size_t ring_timers();
  std::size_t turn_deferred();
  std::size_t take_postponed();
  static void give_turn(EventSource& source);
  std::size_t read_mail();

  int epoll_ = -1;
  int bell_ = -1;
  std::atomic<bool> rung_{false};
  std::atomic<bool> stopped_{false};
  Instant now_{};
  Timers timers_;
  Line deferred_, postponed_;
  std::vector<EventSource*> unwatched_;  // the oldest first; null where it is forgotten
  std::size_t unwatched_count_ = 0;      // without those
  std::size_t unwatched_before_ = 0;     // how many of unwatched_ are older than parted_
  Instant parted_{};
  std::array<epoll_event, most_events> events_;
  std::size_t at_ = 0, count_ = 0;  // of events_: the next one, and how many there are
  asio::io_context mailbox_{1};     // last: what nobody took is destroyed while the rest stands
};

}  // namespace sekisho::proxy
