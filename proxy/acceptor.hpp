// One listening socket: takes connections off its backlog and gives each to the worker with the fewest.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "config/ip_address.hpp"
#include "proxy/event_loop.hpp"
#include "proxy/listener.hpp"
#include "proxy/listening_socket.hpp"
#include "proxy/once_a_minute.hpp"
#include "proxy/refused_connections.hpp"
#include "ratelimit/instant.hpp"

namespace sekisho::proxy {

class Worker;
struct WorkerGroup;

// Runs on the first worker, and ends there. One socket an address: SO_REUSEPORT would leave workers idle
// beside a balancer's few connections, and resets its backlog when closed (docs/decisions/).
class Acceptor final : public std::enable_shared_from_this<Acceptor>, private EventSource, private LoopTimer {
 public:
  // Longer than a round trip between the balancer and the task: from turn_away to stop.
  static constexpr ratelimit::Duration handshake_time = std::chrono::milliseconds(100);

  // Made on any thread. `socket` listens already. Kept by itself from start() to stop().
  Acceptor(ListeningSocket socket, std::shared_ptr<const ListenerState> state, EventLoop& loop,
           WorkerGroup& group);
  ~Acceptor();

  // The socket, for its options. On any thread, until stop() or retire() was asked for.
  int descriptor() const { return descriptor_; }

  // On the first worker's thread:
  void start();
  // For the connections accepted from here on.
  void set_state(std::shared_ptr<const ListenerState> state) { state_ = std::move(state); }
  // The kernel lets new handshakes pass unanswered from here on; those under way complete. Their clients try
  // again until stop() has them refused, so no connection is made that stop() would have to reset.
  void turn_away();
  // Takes what the backlog holds, then closes.
  void stop();
  // Turns away, and stops a moment later.
  void retire();

 private:
  void on_events(std::uint32_t events) override;
  void on_turn() override;
  void on_time(Instant now) override;
  void watch();
  enum class Backlog : std::uint8_t { empty, more, no_descriptors };  // or more than there are of something
  Backlog accept_some(unsigned most);
  void place(int descriptor, int family, const config::IpAddress& peer);
  void refuse(int descriptor, Worker& first, std::uint64_t most);
  void say_no_descriptors(int error);

  EventLoop& loop_;
  WorkerGroup& group_;
  const int descriptor_;
  bool open_ = true;
  bool watched_ = false;
  bool retiring_ = false;           // the timer runs to stop(), else to another try
  std::shared_ptr<Acceptor> self_;  // while the loop may call
  UnixSocketFile file_;
  std::shared_ptr<const ListenerState> state_;
  RefusedConnections refused_;
  OnceAMinute say_full_, say_no_descriptors_;
};

}  // namespace sekisho::proxy
