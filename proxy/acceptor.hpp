// One listening socket: takes connections off its backlog and gives each to the worker with the fewest.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <optional>

#include "config/ip_address.hpp"
#include "proxy/listener.hpp"
#include "ratelimit/instant.hpp"

namespace sekisho::proxy {

struct WorkerGroup;

// Runs on the first worker. One socket an address: SO_REUSEPORT would leave workers idle beside a balancer's
// few connections, and resets its backlog when closed (docs/decisions/).
class Acceptor {
 public:
  // Binds and listens. Throws std::runtime_error that names the address and the reason.
  Acceptor(ListenerState wanted, boost::asio::io_context& io, WorkerGroup& group);
  ~Acceptor();

  const ListenerState& state() const { return *state_; }

  // On the first worker's thread:
  void start();
  // The kernel lets new handshakes pass unanswered from here on; those under way complete. Their clients try
  // again until stop() has them refused, so no connection is made that stop() would have to reset.
  void turn_away();
  // Takes what the backlog holds, then closes.
  void stop();

 private:
  void wait();
  // Accepts until the backlog is empty or a turn's share is taken; false where the descriptors are used up.
  bool accept_some(unsigned most);
  void place(int descriptor, int family, const config::IpAddress& peer);
  // Once a minute at the most, however many are refused.
  void say_full(std::uint64_t most);

  boost::asio::posix::stream_descriptor listener_;
  boost::asio::steady_timer back_off_;
  WorkerGroup& group_;
  std::shared_ptr<const ListenerState> state_;
  std::optional<ratelimit::Instant> said_full_;
};

}  // namespace sekisho::proxy
