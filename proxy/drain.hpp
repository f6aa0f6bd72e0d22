// The steps from a signal to the end of the last exchange (docs/operations.md, "Draining").
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>

#include "config/config.hpp"
#include "proxy/server.hpp"

namespace sekisho::proxy {

// grace: still accepting, everything says that it ends; then new handshakes go unanswered for a moment, the
// listeners close, and what is open may finish until drain is over. Used on the io_context's thread alone.
class Drain {
 public:
  // `finished` is called once, when nothing is open any more or the time is over.
  Drain(boost::asio::io_context& io, Server& server, const config::Shutdown& shutdown,
        std::function<void()> finished);

  bool begun() const { return begun_; }
  void begin();

 private:
  void turn_away();
  void stop_accepting();
  void look();

  boost::asio::steady_timer timer_;
  Server& server_;
  config::Shutdown shutdown_;
  std::function<void()> finished_;
  ratelimit::Instant deadline_{};
  bool begun_ = false;
};

}  // namespace sekisho::proxy
