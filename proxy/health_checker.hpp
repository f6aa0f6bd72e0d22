// Tries the upstream server every few seconds, and keeps what its name stands for up to date.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>

#include "config/config.hpp"
#include "proxy/upstream_shared.hpp"

namespace sekisho::proxy {

// A check is a connection made and closed; it says upstream_up and upstream_down in the log when the answer
// changes. A server is down while it refuses or times out connecting, or while its name does not resolve; the
// addresses last known are kept, since with one server requests are tried anyway. Used on the io_context's
// thread alone.
class HealthChecker {
 public:
  explicit HealthChecker(boost::asio::io_context& io) : io_(io) {}
  ~HealthChecker() { stop(); }
  HealthChecker(const HealthChecker&) = delete;
  HealthChecker& operator=(const HealthChecker&) = delete;

  // Checks `upstream` from now on, instead of what was checked before; the first time at once. Endpoints that
  // need no look-up are set before this returns.
  void watch(const config::Upstream& upstream, std::shared_ptr<UpstreamShared> shared);
  void stop();

 private:
  struct Watch;
  boost::asio::io_context& io_;
  std::shared_ptr<Watch> watch_;
};

}  // namespace sekisho::proxy
