#include "bench/load/worker.hpp"

#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <system_error>

#include "bench/load/thread_times.hpp"

namespace sekisho::load {
namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t millisecond = 1'000'000;
constexpr std::int64_t longest_sleep = 100 * millisecond;  // within which the word to stop is heard
constexpr std::int64_t pause_after_refused_connect = 50 * millisecond;
constexpr std::int64_t grace = 2 * second;  // for answers still to come at the end
// So many connections begin at once that a backlog of 128 holds them.
constexpr std::uint32_t connects_at_once = 64;
constexpr std::size_t events_at_once = 256;
constexpr std::size_t input_bytes = 256 * 1024;

// A slow client moves a piece each tick: often enough to look like a trickle, and to leave the reader's
// buffer small, and at least a byte.
std::int64_t tick_for(const ClientClass& clients) {
  constexpr double piece = 64 * 1024;
  const double a_byte =
      static_cast<double>(second) /
      static_cast<double>(std::max<std::uint64_t>({1, clients.read_rate, clients.send_rate}));
  return std::clamp(static_cast<std::int64_t>(piece * a_byte), millisecond,
                    std::max(50 * millisecond, static_cast<std::int64_t>(a_byte)));
}

}  // namespace

std::int64_t steady_now() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

Worker::Worker(Run& run, const ClientClass& clients, Share share)
    : run_(run),
      clients_(clients),
      share_(share),
      to_head_(clients.method == "HEAD"),
      images_(clients, run.target.host),
      random_(run.plan.seed * 7919 + share.first_connection),
      connections_(share.part(clients.connections)),
      ready_(connections_.size()),
      events_(events_at_once),
      input_(input_bytes),
      output_(64 * 1024 + 2 * images_.most_head_bytes()),
      tick_(tick_for(clients)),
      budget_(clients.requests == 0 ? std::numeric_limits<std::uint64_t>::max()
                                    : share.part(clients.requests)) {
  if (clients.clients) draw_.emplace(*clients.clients, run.plan.seed, share.number, share.of);
  timers_.reserve(2 * connections_.size());
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

Worker::~Worker() {
  for (const Connection& connection : connections_) {
    if (connection.fd >= 0) ::close(connection.fd);
  }
  ::close(epoll_);
}

void Worker::run() {
  // By default a sleep may last 50 us longer than was asked for, which a request sent on time would see.
  ::prctl(PR_SET_TIMERSLACK, 1000UL);
  const std::int64_t warm = run_.begin + run_.plan.warmup.count();
  begin_ = run_.begin + clients_.start.count();
  measured_from_ = std::max(begin_, warm);
  end_ = warm + run_.plan.duration.count();
  if (clients_.rate > 0) {
    schedule_.emplace(clients_.rate, clients_.pipeline, begin_, share_.number, share_.of);
  }
  now_ = steady_now();
  loop();
  finish();
}

void Worker::loop() {
  bool measuring = false;
  ThreadTimes before;
  std::int64_t from = 0;
  std::uint64_t answered = 0;
  const auto measure = [&] {
    if (!measuring && now_ >= measured_from_) {
      measuring = true;
      before = thread_times();
      from = now_;
      answered = progress_.answered.load(std::memory_order_relaxed);
    }
  };
  const auto result = [&] {
    if (!measuring || tally_.wall > 0) return;
    const ThreadTimes after = thread_times();
    tally_.cpu = after.cpu - before.cpu;
    if (after.waited && before.waited) tally_.waited = *after.waited - *before.waited;
    tally_.wall = std::max<std::int64_t>(1, now_ - from);
    tally_.answered_meanwhile = progress_.answered.load(std::memory_order_relaxed) - answered;
  };
  for (;;) {
    if (run_.stop.load(std::memory_order_relaxed)) end_ = std::min(end_, now_);
    measure();
    if (now_ >= end_) {
      result();
      if (active_ == 0 || now_ >= end_ + std::min<std::int64_t>(grace, clients_.timeout.count())) return;
    } else if (budget_ == 0 && active_ == 0) {
      result();
      end_ = now_;
      return;
    } else if (now_ >= begin_) {
      start_connections();
      dispatch();
    }
    fire_timers();
    if (now_ >= next_sweep_) sweep();
    wait_for_events();
  }
}

void Worker::start_connections() {
  for (std::uint32_t begun = 0; started_ < connections_.size() && begun < connects_at_once; ++begun) {
    const std::uint32_t index = started_++;
    connections_[index].idle_since = now_;
    connections_[index].path = (share_.first_connection + index) % images_.paths();
    if (open_loop()) {
      // Connected ahead of its first request, or that would be late by as much.
      if (clients_.keepalive != 1) connect(index);
      ready_.push(index);
    } else if (clients_.think.count() > 0) {
      // Somewhere within their first pause, or all of them would come at once for good.
      std::uniform_real_distribution<double> part(0, 1);
      sleep_until(index, now_ + static_cast<std::int64_t>(part(random_) *
                                                          static_cast<double>(clients_.think.count())));
    } else {
      begin_batch(index, now_, clients_.pipeline);
    }
  }
}

void Worker::fire_timers() {
  while (!timers_.empty() && timers_.first().due <= now_) {
    const TimerHeap::Entry entry = timers_.pop();
    Connection& connection = connections_[entry.connection];
    if (entry.generation == TimerHeap::wake_up) {
      if (open_loop()) {
        connection.idle_since = now_;
        ready_.push(entry.connection);
      } else {
        begin_batch(entry.connection, now_, clients_.pipeline);
      }
    } else if (entry.generation == connection.generation) {
      pace(entry.connection);
    }
  }
}

void Worker::dispatch() {
  if (!open_loop() || now_ >= end_) return;  // what is due and was not sent, finish() counts
  while (!ready_.empty() && budget_ > 0) {
    const std::int64_t due = schedule_->due();
    if (due > now_ || due >= end_) return;
    const std::uint32_t index = ready_.pop();
    // Where every connection was busy, that the request waited is the target's doing, and not ours.
    const bool late = all_were_busy(connections_[index], due);
    if (counted(due)) tally_.behind.record(now_ - std::max(due, connections_[index].idle_since));
    const std::uint64_t begun = begin_batch(index, due, schedule_->left_at_once());
    if (counted(due) && late) tally_.all_busy += begun;
    schedule_->take(begun);
  }
}

void Worker::sweep() {
  const std::int64_t timeout = clients_.timeout.count();
  next_sweep_ = now_ + std::clamp<std::int64_t>(timeout / 8, millisecond, second);
  for (std::uint32_t index = 0; index < connections_.size(); ++index) {
    const Connection& connection = connections_[index];
    if (connection.left > 0 && now_ - connection.progressed > timeout) fail(index, Failure::timeout);
  }
}

std::int64_t Worker::next_wake() const {
  std::int64_t wake = std::min(now_ + longest_sleep, next_sweep_);
  if (!timers_.empty()) wake = std::min(wake, timers_.first().due);
  if (now_ >= end_) return wake;
  wake = std::min(wake, end_);
  if (now_ < begin_) return std::min(wake, begin_);
  if (started_ < connections_.size()) return now_;
  if (open_loop() && !ready_.empty() && budget_ > 0) wake = std::min(wake, schedule_->due());
  if (now_ < measured_from_) wake = std::min(wake, measured_from_);
  return wake;
}

void Worker::wait_for_events() {
  const std::int64_t sleep = std::max<std::int64_t>(0, next_wake() - now_);
  const timespec timeout{sleep / second, sleep % second};
  const int room = static_cast<int>(events_.size());
  int count = ::epoll_pwait2(epoll_, events_.data(), room, &timeout, nullptr);
  if (count < 0 && errno == ENOSYS) {  // before Linux 5.11
    count =
        ::epoll_wait(epoll_, events_.data(), room, static_cast<int>((sleep + millisecond - 1) / millisecond));
  }
  now_ = steady_now();
  for (int i = 0; i < count; ++i) {
    const std::uint64_t data = events_[static_cast<std::size_t>(i)].data.u64;
    const auto index = static_cast<std::uint32_t>(data);
    if (connections_[index].generation != data >> 32) continue;
    handle(index, events_[static_cast<std::size_t>(i)].events);
    dispatch();
  }
}

void Worker::finish() {
  for (const Connection& connection : connections_) {
    if (connection.left > 0 && counted(connection.started)) tally_.unfinished += connection.left;
  }
  if (open_loop() && budget_ > 0) {
    while (schedule_->due() < measured_from_) schedule_->take(schedule_->left_at_once());
    tally_.unsent = std::min(budget_, schedule_->left_before(end_));
    if (ready_.empty() || all_were_busy(connections_[ready_.pop()], schedule_->due()))
      tally_.all_busy += tally_.unsent;
  }
}

// How many of `most` requests the connection begins: no more than are its to send, and none at the end.
std::uint64_t Worker::begin_batch(std::uint32_t index, std::int64_t started, std::uint64_t most) {
  if (now_ >= end_ || budget_ == 0) return 0;
  Connection& connection = connections_[index];
  std::uint64_t size = std::min(most, budget_);
  if (clients_.keepalive > 0) size = std::min(size, clients_.keepalive - connection.used);
  budget_ -= size;
  connection.started = started;
  connection.progressed = now_;
  connection.left = connection.to_write = static_cast<std::uint32_t>(size);
  ++active_;
  if (connection.state == Connection::State::closed) {
    connect(index);
  } else if (connection.state == Connection::State::open) {
    write(index);
  }
  return size;
}

// `pause`: before the client does anything else.
void Worker::batch_over(std::uint32_t index, std::int64_t pause) {
  Connection& connection = connections_[index];
  connection.left = connection.to_write = 0;
  --active_;
  connection.idle_since = now_;
  if (pause > 0) {
    sleep_until(index, now_ + pause);
  } else if (open_loop()) {
    ready_.push(index);
  } else if (const std::int64_t think = pause_between(); think > 0) {
    sleep_until(index, now_ + think);
  } else {
    begin_batch(index, now_, clients_.pipeline);
  }
}

void Worker::note_response(const Connection& connection) {
  const unsigned status = connection.parser.status();
  Progress::bump(progress_.answered);
  if (status == 403 || status == 429) Progress::bump(progress_.refused);
  if (!counted(connection.started)) return;
  ++tally_.requests;
  ++tally_.statuses[status];
  tally_.latency.record(now_ - connection.started);
}

void Worker::fail(std::uint32_t index, Failure failure) {
  const Connection& connection = connections_[index];
  if (counted(connection.started)) tally_.errors[static_cast<std::size_t>(failure)] += connection.left;
  Progress::bump(progress_.failed, connection.left);
  close(index);
  batch_over(index, failure == Failure::connect ? pause_after_refused_connect : 0);
}

void Worker::sleep_until(std::uint32_t index, std::int64_t due) {
  timers_.push({due, index, TimerHeap::wake_up});
}

std::int64_t Worker::pause_between() {
  if (!clients_.think_random || clients_.think.count() == 0) return clients_.think.count();
  std::exponential_distribution<double> pause(1.0 / static_cast<double>(clients_.think.count()));
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(pause(random_)));
}

}  // namespace sekisho::load
