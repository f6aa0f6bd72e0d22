#include "proxy/event_loop.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <system_error>

namespace sekisho::proxy {
namespace {

constexpr std::uint32_t every_edge = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

}  // namespace

EventLoop::EventLoop() {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  bell_ = epoll_ < 0 ? -1 : ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;  // never read: each ring is an edge
  if (bell_ < 0 || ::epoll_ctl(epoll_, EPOLL_CTL_ADD, bell_, &event) != 0) {
    const int problem = errno;
    if (bell_ >= 0) ::close(bell_);
    if (epoll_ >= 0) ::close(epoll_);
    throw std::system_error(problem, std::system_category(), "an event loop cannot be made");
  }
  touch();
}

EventLoop::~EventLoop() {
  ::close(bell_);
  ::close(epoll_);
}

boost::system::error_code EventLoop::watch(int descriptor, EventSource& source) {
  epoll_event event{};
  event.events = every_edge;
  event.data.ptr = &source;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0) return {};
  return {errno, boost::system::system_category()};
}

void EventLoop::forget(EventSource& source) {
  source.unlink();
  cancel_watch(source);
  source.postponed_ = 0;
  for (std::size_t i = at_; i < count_; ++i) {
    if (events_[i].data.ptr == &source) events_[i].data.ptr = nullptr;
  }
}

void EventLoop::unwatch(int descriptor, EventSource& source) {
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
  forget(source);
}

void EventLoop::start(LoopTimer& timer, Instant at) {
  timer.unlink();
  timer.at_ = at;
  timers_.insert(timer);
}

void EventLoop::wake() {
  if (rung_.exchange(true, std::memory_order_acq_rel)) return;
  const std::uint64_t one = 1;
  // Fails only where the counter is full, and then the bell rings anyway.
  [[maybe_unused]] const ssize_t written = ::write(bell_, &one, sizeof one);
}

void EventLoop::stop() {
  stopped_.store(true, std::memory_order_release);
  wake();
}

void EventLoop::run() {
  while (!stopped_.load(std::memory_order_acquire)) turn(true);
}

std::size_t EventLoop::poll() {
  std::size_t done = 0;
  while (const std::size_t more = turn(false)) done += more;
  return done;
}

std::size_t EventLoop::turn(bool may_wait) {
  const int count = fetch(may_wait);
  touch();
  at_ = 0;
  count_ = count > 0 ? static_cast<std::size_t>(count) : 0;
  // In this order: who has come gets his turn before those who have more than one turn's worth to do.
  std::size_t done = take_events();
  done += ring_timers();
  done += turn_deferred();
  done += read_mail();
  return done + take_postponed();
}

int EventLoop::look(int patience) {
  return ::epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), patience);
}

// Where there is nothing else to do, those not watched yet are, before the loop sleeps.
int EventLoop::fetch(bool may_wait) {
  if (unwatched_count_ > 0) {
    const int count = look(0);
    if (count > 0 || !deferred_.empty() || !postponed_.empty()) {
      watch_due();
      return count;
    }
    watch_oldest(unwatched_.size());
  }
  return look(may_wait ? patience() : 0);
}

void EventLoop::watch_soon(EventSource& source) {
  if (unwatched_count_++ == 0) {
    unwatched_.clear();
    unwatched_before_ = 0;
    parted_ = now_;
  }
  unwatched_.push_back(&source);
  source.unwatched_place_ = static_cast<std::uint32_t>(unwatched_.size());
}

void EventLoop::cancel_watch(EventSource& source) {
  if (source.unwatched_place_ == 0) return;
  unwatched_[std::exchange(source.unwatched_place_, 0) - 1] = nullptr;
  --unwatched_count_;
}

void EventLoop::watch_due() {
  if (now_ - parted_ < unwatched_time) return;
  parted_ = now_;
  watch_oldest(unwatched_before_);
  unwatched_before_ = unwatched_.size();
}

void EventLoop::watch_oldest(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    EventSource* source = unwatched_[i];
    if (source == nullptr) continue;
    cancel_watch(*source);
    source->on_watch_due();
  }
  unwatched_.erase(unwatched_.begin(), unwatched_.begin() + static_cast<std::ptrdiff_t>(count));
  for (std::size_t i = 0; i < unwatched_.size(); ++i) {
    if (unwatched_[i] != nullptr) unwatched_[i]->unwatched_place_ = static_cast<std::uint32_t>(i + 1);
  }
}

// How long to wait, in the milliseconds of epoll_wait, rounded up: nobody is rung early.
int EventLoop::patience() const {
  if (!deferred_.empty() || !postponed_.empty()) return 0;
  if (timers_.empty()) return -1;
  const auto left = timers_.begin()->at_ - std::chrono::steady_clock::now();
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::clamp<std::int64_t>(ms, 0, std::numeric_limits<int>::max()));
}

std::size_t EventLoop::take_events() {
  std::size_t done = 0;
  while (at_ < count_) {
    const epoll_event& event = events_[at_++];
    if (event.data.ptr == nullptr) continue;  // the bell, or somebody who has gone
    EventSource& source = *static_cast<EventSource*>(event.data.ptr);
    if (++done % events_a_clock == 0) touch();
    if (source.low_priority_) {
      source.postponed_ |= event.events;
      defer(source);
    } else {
      source.on_events(event.events);
    }
  }
  return done;
}

// A source that stands in either line may have events behind it: they are told first, its turn is had with
// them.
void EventLoop::give_turn(EventSource& source) {
  if (const std::uint32_t events = std::exchange(source.postponed_, 0); events != 0) {
    source.on_events(events);
  } else {
    source.on_turn();
  }
}

std::size_t EventLoop::take_postponed() {
  std::size_t done = 0;
  while (!postponed_.empty() && done < postponed_a_turn) {
    EventSource& source = postponed_.front();
    postponed_.pop_front();
    ++done;
    give_turn(source);
  }
  return done;
}

std::size_t EventLoop::ring_timers() {
  std::size_t done = 0;
  // Those rung may start others, or end them.
  while (!timers_.empty() && timers_.begin()->at_ <= now_) {
    LoopTimer& timer = *timers_.begin();
    timer.unlink();
    timer.on_time(now_);
    ++done;
  }
  return done;
}

// Once each, for those that are in line now.
std::size_t EventLoop::turn_deferred() {
  std::size_t done = 0;
  Line line;
  line.swap(deferred_);
  while (!line.empty()) {
    EventSource& source = line.front();
    line.pop_front();
    if (++done % events_a_clock == 0) touch();
    give_turn(source);
  }
  return done;
}

std::size_t EventLoop::read_mail() {
  if (!rung_.exchange(false, std::memory_order_acq_rel)) return 0;
  mailbox_.restart();
  return mailbox_.poll();
}

}  // namespace sekisho::proxy
