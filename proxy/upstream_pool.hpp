// One worker's idle connections to one upstream server: the newest is reused first, and their number is
// bounded over all workers.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "proxy/counters.hpp"
#include "proxy/upstream_connection.hpp"

namespace sekisho::proxy {

// puma keeps a thread 0.2 s on each idle connection, hence last in, first out, and no more of them than are
// useful. An idle connection waits to be readable: the server's FIN takes it out of the pool, and no look at
// the socket is needed before reuse.
class UpstreamPool {
 public:
  UpstreamPool(std::shared_ptr<UpstreamServer> server, std::size_t self, Counters& counters)
      : server_(std::move(server)), counts_(server_->idle_counts()), self_(self), counters_(counters) {}
  ~UpstreamPool() { close_all(); }
  UpstreamPool(const UpstreamPool&) = delete;
  UpstreamPool& operator=(const UpstreamPool&) = delete;

  // From a snapshot: bound on the server's idle connections over all workers, and their idle time.
  void configure(std::size_t bound, Duration idle_timeout) {
    bound_ = bound;
    idle_timeout_ = idle_timeout;
  }
  const std::shared_ptr<UpstreamServer>& server() const { return server_; }

  // The newest idle one, or nullptr.
  std::unique_ptr<UpstreamConnection> take();
  // Keeps it for reuse (above the bound too, until the next tick: docs/decisions/0004), or closes it where
  // it failed, said more than was asked or is outdated. Whoever waits for a connection permit gets it, on
  // whichever worker.
  void put(std::unique_ptr<UpstreamConnection> connection, Instant now);
  // For another worker: the newest one, its connection permit going along; null for none.
  std::unique_ptr<DetachedStream> give_away();
  // Closes what was idle too long, stands above the bound or is outdated; from the tick.
  void expire(Instant now);
  void close_all();
  // The worker other than this one that has most idle connections; counts_.size() when none has any.
  std::size_t richest_peer() const;

 private:
  // Watches an idle connection for the server's FIN; what is no news (a session's ticket) leaves it.
  struct Idle final : StreamListener, LastsAsConnection {
    Idle(UpstreamPool& p, std::unique_ptr<UpstreamConnection> c) : pool(p), connection(std::move(c)) {}
    void on_stream() override { pool.look_at(*this); }
    UpstreamPool& pool;
    std::unique_ptr<UpstreamConnection> connection;
  };

  bool pass_on(UpstreamConnection& connection);
  void look_at(Idle& idle);
  void close_outdated();
  void resized();
  std::size_t total_idle() const;

  std::shared_ptr<UpstreamServer> server_;
  std::span<IdleCount> counts_;
  std::size_t self_;
  Counters& counters_;
  std::size_t bound_ = 8;
  Duration idle_timeout_ = std::chrono::seconds(15);
  std::uint32_t addresses_ = 0;               // the server's, at the last look
  std::vector<std::unique_ptr<Idle>> idle_;   // oldest first
  std::vector<std::unique_ptr<Idle>> spare_;  // watchers for reuse
};

}  // namespace sekisho::proxy
