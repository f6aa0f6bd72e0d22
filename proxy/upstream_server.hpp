// What all workers and the control thread share about one upstream server: its address, whether it answers,
// its permits and its failures. Kept over reloads as long as its upstream still names it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "proxy/once_a_minute.hpp"
#include "proxy/permits.hpp"
#include "proxy/socket_stream.hpp"
#include "proxy/tls_client_context.hpp"

namespace sekisho::proxy {

// How many idle connections to a server a worker holds: written by its owner, read by the others (to bound
// the sum, and to know whom to ask).
struct alignas(64) IdleCount {
  std::atomic<std::size_t> value{0};
};

enum class UpstreamErrorReason : std::uint8_t { connect, timeout, reset, bad_response };
inline constexpr std::size_t upstream_error_reason_count = 4;

// Whether connecting failed for want of something on this machine: a descriptor, a port, memory.
bool local_shortage(const boost::system::error_code& error);

// Thread-safe, but for make_stream and set_tls, which are settled before the first connection.
class UpstreamServer : public std::enable_shared_from_this<UpstreamServer> {
 public:
  UpstreamServer(std::string server_text, std::uint64_t max_connections, unsigned workers)
      : text(std::move(server_text)), connections(max_connections), idle_(workers) {}

  // The addresses the server's name stands for now; empty: it does not resolve (a down server). set_endpoints
  // is called by the control thread (resolver).
  void set_endpoints(std::vector<StreamEndpoint> endpoints);
  std::vector<StreamEndpoint> endpoints() const {
    std::lock_guard lock(mutex_);
    return endpoints_;
  }
  // Changes whenever an address goes from the name: what was connected before may lead to a host that the
  // name does not stand for any more, and is not used again.
  std::uint32_t addresses() const { return addresses_.load(std::memory_order_acquire); }
  // Which of `count` addresses the next connection tries first: each in its turn, over all workers.
  std::size_t next_address(std::size_t count) {
    return count < 2 ? 0 : turn_.fetch_add(1, std::memory_order_relaxed) % count;
  }

  // Down while it refuses or times out connecting (told by the traffic and by the health checks alike), or
  // while the health checks by path find it ill. A slow answer is never down.
  bool healthy() const {
    return reachable_.load(std::memory_order_relaxed) && well_.load(std::memory_order_relaxed);
  }
  // Whether it was once reached, and still is.
  bool can_serve() const { return ever_reached_.load(std::memory_order_relaxed) && healthy(); }
  // A connection was made, or could not be (`reason` says why). Changes are said in the log; from any thread.
  void note_reachable() {
    if (!ever_reached_.load(std::memory_order_relaxed)) ever_reached_.store(true, std::memory_order_relaxed);
    if (!reachable_.load(std::memory_order_relaxed) || !said_.load(std::memory_order_relaxed))
      say_reachable();
  }
  void note_unreachable(std::string_view reason);
  // A connection could not be tried for want of something here (local_shortage), which says nothing about the
  // server. Said in the log, once a minute at most.
  void note_shortage(std::string_view reason);
  // What the health checks by path came to, after as many as the configuration asks for.
  void note_well(bool well, std::string_view reason);
  // The benefit of the doubt that a reload gives to a server that nobody has checked yet.
  void presume_reached() { ever_reached_.store(true, std::memory_order_relaxed); }

  // Failures are rare enough to share one line.
  void count_error(UpstreamErrorReason reason) {
    errors_[static_cast<std::size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
  }
  std::uint64_t errors(UpstreamErrorReason reason) const {
    return errors_[static_cast<std::size_t>(reason)].load(std::memory_order_relaxed);
  }

  std::span<IdleCount> idle_counts() { return idle_; }

  // Connections are made by TLS. Before it is shared.
  void set_tls(std::shared_ptr<const TlsClientContext> tls);
  const TlsClientContext* tls() const { return tls_.get(); }  // null: plain

  const std::string text;  // as in the file: the label and the log's `upstream`
  // What its connections are made of; another in tests, which put faults under it.
  std::function<Stream::Ptr(EventLoop&)> make_stream = SocketStream::create;
  Permits connections;  // max_connections
  // Requests at it; kept only where its upstream has several servers to choose from.
  alignas(64) std::atomic<std::int64_t> in_flight{0};

 private:
  void say_reachable();

  mutable std::mutex mutex_;
  std::vector<StreamEndpoint> endpoints_;
  std::atomic<std::uint32_t> addresses_{0};
  std::atomic<std::uint32_t> turn_{0};
  OnceAMinute shortage_said_;
  std::atomic<bool> ever_reached_{false};
  std::atomic<bool> reachable_{true};
  std::atomic<bool> well_{true};
  std::atomic<bool> said_{false};  // whether the log said that it is up, or down
  std::array<std::atomic<std::uint64_t>, upstream_error_reason_count> errors_{};
  std::vector<IdleCount> idle_;
  std::shared_ptr<const TlsClientContext> tls_;
};

}  // namespace sekisho::proxy
