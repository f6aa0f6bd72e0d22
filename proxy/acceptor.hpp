// One listening socket: takes connections off its backlog and gives each to the worker with the fewest.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>

#include "config/ip_address.hpp"
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
class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  // Longer than a round trip between the balancer and the task: from turn_away to stop.
  static constexpr ratelimit::Duration handshake_time = std::chrono::milliseconds(100);

  // Made on any thread. `socket` listens already.
  Acceptor(ListeningSocket socket, std::shared_ptr<const ListenerState> state, boost::asio::io_context& io,
           WorkerGroup& group);

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
  void wait();
  // Accepts until the backlog is empty or a turn's share is taken; false where the descriptors are used up.
  bool accept_some(unsigned most);
  void place(int descriptor, int family, const config::IpAddress& peer);
  void refuse(int descriptor, Worker& first, std::uint64_t most);
  void say_no_descriptors(int error);

  boost::asio::posix::stream_descriptor listener_;
  boost::asio::steady_timer pause_, end_;
  WorkerGroup& group_;
  const int descriptor_;
  UnixSocketFile file_;
  std::shared_ptr<const ListenerState> state_;
  std::shared_ptr<RefusedConnections> refused_;
  OnceAMinute say_full_, say_no_descriptors_;
};

}  // namespace sekisho::proxy
