// What all workers and the control thread share about one upstream server: its address, whether it answers,
// and its permits. Kept over reloads as long as the server's text stays the same.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "proxy/permits.hpp"
#include "proxy/socket_stream.hpp"

namespace sekisho::proxy {

class UpstreamShared {
 public:
  UpstreamShared(std::string server_text, std::uint64_t max_in_flight, std::uint64_t max_connections)
      : server(std::move(server_text)), in_flight(max_in_flight), connections(max_connections) {}

  // The addresses the server's name stands for now; empty: it does not resolve (a down server). set_endpoints
  // is called by the control thread (resolver), endpoints by workers when generation() moved.
  void set_endpoints(std::vector<StreamEndpoint> endpoints) {
    std::lock_guard lock(mutex_);
    if (endpoints == endpoints_) return;
    endpoints_ = std::move(endpoints);
    generation_.fetch_add(1, std::memory_order_release);
  }
  std::vector<StreamEndpoint> endpoints() const {
    std::lock_guard lock(mutex_);
    return endpoints_;
  }
  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  // What its connections are made of; another in tests, which put faults under it.
  std::function<Stream::Ptr(boost::asio::io_context&)> make_stream = SocketStream::create;
  const std::string server;               // as in the file: the label and the log's `upstream`
  std::atomic<bool> ever_reached{false};  // a connection was once made
  std::atomic<bool> healthy{true};        // the health checker's last connect did not fail
  Permits in_flight;                      // max_in_flight; unbounded when 0
  Permits connections;                    // max_connections

  bool can_serve() const {
    return ever_reached.load(std::memory_order_relaxed) && healthy.load(std::memory_order_relaxed);
  }

 private:
  mutable std::mutex mutex_;
  std::vector<StreamEndpoint> endpoints_;
  std::atomic<std::uint64_t> generation_{1};
};

}  // namespace sekisho::proxy
