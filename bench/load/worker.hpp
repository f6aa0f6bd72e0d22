// One thread's share of one class of clients: its connections, what they send when, and what they are
// answered.
//
// A thread has one class alone, so that a flood's answers never stand in line ahead of a well-behaved
// client's: how long those waited would be measured as if the target had been slow.
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "bench/load/connection.hpp"
#include "bench/load/plan.hpp"
#include "bench/load/population.hpp"
#include "bench/load/request_images.hpp"
#include "bench/load/ring.hpp"
#include "bench/load/schedule.hpp"
#include "bench/load/tally.hpp"
#include "bench/load/target.hpp"
#include "bench/load/timer_heap.hpp"

namespace sekisho::load {

// What all threads of a run have in common.
struct Run {
  const Plan& plan;
  Target target;
  std::uint64_t connections = 0;  // of all classes
  std::int64_t begin = 0;         // of steady_now()
  std::atomic<bool> stop{false};
};

// Which part of its class a worker has.
struct Share {
  std::uint64_t number = 0, of = 1;
  std::uint64_t first_connection = 0;  // within the run
  std::uint64_t first_in_class = 0;

  // Its part of `total`, which is cut as evenly as it goes.
  std::uint64_t part(std::uint64_t total) const { return total / of + (number < total % of ? 1 : 0); }
};

std::int64_t steady_now();

class Worker {
 public:
  Worker(Run& run, const ClientClass& clients, Share share);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Until the class is through, or the run is told to stop.
  void run();

  const ClientClass& clients() const { return clients_; }
  const Tally& tally() const { return tally_; }
  const Progress& progress() const { return progress_; }

 private:
  // The loop (worker.cpp).
  void loop();
  void start_connections();
  void fire_timers();
  void dispatch();
  void sweep();
  void wait_for_events();
  std::int64_t next_wake() const;
  void finish();

  // What a client does next (worker.cpp).
  std::uint64_t begin_batch(std::uint32_t index, std::int64_t started, std::uint64_t most);
  void batch_over(std::uint32_t index, std::int64_t pause);
  void note_response(const Connection& connection);
  void fail(std::uint32_t index, Failure failure);
  void sleep_until(std::uint32_t index, std::int64_t due);
  std::int64_t pause_between();
  bool counted(std::int64_t time) const { return time >= measured_from_ && time < end_; }
  // Whether no connection was free when a request was due, of the one that then was the first to be. What
  // has had no request yet was not busy before.
  static bool all_were_busy(const Connection& first, std::int64_t due) {
    return first.started > 0 && first.idle_since > due;
  }
  bool open_loop() const { return schedule_.has_value(); }

  // Its socket (worker_io.cpp).
  void connect(std::uint32_t index);
  void connect_failed(std::uint32_t index, int error);
  void close(std::uint32_t index);
  void handle(std::uint32_t index, std::uint32_t events);
  void opened(std::uint32_t index);
  void write(std::uint32_t index);
  std::size_t compose(std::uint32_t index, bool one);
  std::size_t flush(Connection& connection, std::size_t most);
  std::size_t send(Connection& connection, std::string_view head, std::string_view body);
  std::string_view large_body() const;
  std::uint64_t read(std::uint32_t index, std::uint64_t most, bool to_end);
  bool consume(std::uint32_t index, std::string_view input, bool ended);
  void peer_closed(std::uint32_t index);
  void start_pacing(std::uint32_t index);
  void pace(std::uint32_t index);
  void send_slowly(std::uint32_t index);
  void read_slowly(std::uint32_t index);

  Run& run_;
  const ClientClass& clients_;
  const Share share_;
  const bool to_head_;
  RequestImages images_;
  std::optional<Draw> draw_;
  std::optional<Schedule> schedule_;
  std::mt19937_64 random_;

  std::vector<Connection> connections_;
  Ring<std::uint32_t> ready_;  // of an open loop: connections that wait for a request to be due
  TimerHeap timers_;
  std::vector<epoll_event> events_;
  std::vector<char> input_, output_;
  int epoll_ = -1;

  std::int64_t now_ = 0;
  std::int64_t begin_ = 0, measured_from_ = 0, end_ = 0;
  std::int64_t next_sweep_ = 0;
  std::int64_t tick_ = 0;      // between two pieces of a slow reader or sender
  std::uint64_t budget_ = 0;   // requests that may still be begun
  std::uint32_t started_ = 0;  // connections that have begun
  std::uint64_t active_ = 0;   // connections with responses to come

  Tally tally_;
  Progress progress_;
};

}  // namespace sekisho::load
