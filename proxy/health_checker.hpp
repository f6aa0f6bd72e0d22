// Tries every upstream server every few seconds, and keeps what their names stand for up to date.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <vector>

#include "config/config.hpp"
#include "proxy/upstreams.hpp"

namespace sekisho::proxy {

// By connect: a connection is made and closed. By path: it is asked GET of that path too, and an answer below
// 500 is a good one; anything else, a closed connection included, is not; no answer in time says nothing,
// since a slow server is never down. What came of it is told to the server (UpstreamServer says what that
// means). A server whose name does not resolve counts as unreachable; the addresses last known are kept,
// since requests are tried anyway when no server is up. A resolver that fails says nothing, and the
// server is checked at the addresses last known; nor does a want of descriptors here. Used on the
// io_context's thread alone.
class HealthChecker {
 public:
  explicit HealthChecker(boost::asio::io_context& io) : io_(io) {}
  ~HealthChecker() { stop(); }
  HealthChecker(const HealthChecker&) = delete;
  HealthChecker& operator=(const HealthChecker&) = delete;

  // Checks the servers of `config` (which `upstreams` was made of) from now on, instead of those before; each
  // at once, but for those that were checked in the same way before, whose turn comes as it would have.
  // Addresses that need no look-up are set before this returns.
  void watch(const config::Config& config, const Upstreams& upstreams);
  void stop();

 private:
  struct Watch;
  boost::asio::io_context& io_;
  std::vector<std::shared_ptr<Watch>> watches_;
};

}  // namespace sekisho::proxy
