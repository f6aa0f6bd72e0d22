// One event loop with everything that its connections need: clock, tick, buffers, pool, counters, snapshot.
// Shares nothing per request.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "proxy/access_log.hpp"
#include "proxy/answer_memory.hpp"
#include "proxy/buffer_pool.hpp"
#include "proxy/counters.hpp"
#include "proxy/deadline_wheel.hpp"
#include "proxy/event_loop.hpp"
#include "proxy/exchange.hpp"
#include "proxy/head_buffer.hpp"
#include "proxy/head_memory.hpp"
#include "proxy/listener.hpp"
#include "proxy/proxy_handshake.hpp"
#include "proxy/snapshot_ref.hpp"
#include "proxy/splice_pipe.hpp"
#include "proxy/talkers.hpp"
#include "proxy/upstream_pool.hpp"

namespace sekisho::proxy {

class ClientConnection;
class Worker;

// How far a drain has come; every worker is told by a posted call.
enum class DrainPhase : std::uint8_t { serving, announced, closing };

// What all workers see of each other. Immutable once they run, but for the atomics.
struct WorkerGroup {
  std::unique_ptr<BufferBudget> budget;
  std::atomic<unsigned> tarpitted{0};
  std::vector<std::unique_ptr<Worker>> workers;  // last: they use what stands above until they are gone
};

// A connection that waits for another worker's idle connection to `server`.
// Unlinks itself when its coroutine ends.
struct StealWaiter
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  ClientConnection* sleeper = nullptr;
  const UpstreamServer* server = nullptr;
  bool answered = false;
  std::unique_ptr<UpstreamConnection> connection;
};

class Worker final : private LoopTimer {
 public:
  Worker(WorkerGroup& group, unsigned index, AccessLogLane& lane);
  ~Worker();

  EventLoop& loop() { return loop_; }
  unsigned index() const { return index_; }

  // Turns the loop until it is stopped. Called on the worker's own thread.
  void run();
  // What run() does before, for whoever turns the loop himself.
  void begin();

  // The time of this wake-up.
  Instant now() const { return loop_.now(); }
  // Wall clock at now(), in milliseconds since the epoch; steps of the system's clock are followed by the
  // tick.
  std::int64_t wall_ms() const;

  // The snapshot for new exchanges.
  SnapshotRef snapshot() const { return snapshot_; }
  const Snapshot& current() const { return *snapshot_; }
  DrainPhase phase() const { return phase_; }
  bool draining() const { return phase_ != DrainPhase::serving; }

  // Borrowed while a request is in progress.
  std::unique_ptr<Exchange> borrow_exchange();
  void give_back(std::unique_ptr<Exchange> exchange);
  // Of heads, from their parsers' next reset on.
  void set_limits(Exchange& exchange) const;

  // This worker's idle connections to `server`; nullptr once no upstream names it any more.
  UpstreamPool* pool_of(const UpstreamServer& server);
  // Asks the worker with the most idle connections to the waiter's server for one; false when nobody has any.
  // The waiter is rung when answered.
  bool steal(StealWaiter& waiter);
  // The tarpit's places, over all workers: false where all are taken.
  bool enter_tarpit();
  void leave_tarpit();
  // Counts up: for what is done in turn.
  unsigned next_turn() { return turn_++; }
  // 128 random bits for a request id.
  void random(std::uint64_t (&words)[2]);

  // Called on the accepting thread only, before adopt_client is called or posted.
  void expect_client() {
    placed_.store(placed_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  // Called on this worker's thread only:
  void adopt_client(const AcceptedConnection& accepted);
  // The same, once its PROXY header was taken off where it has to have one.
  void begin_client(const AcceptedConnection& accepted);
  // The same over a stream that stands already.
  void begin_client(Stream::Ptr stream, const AcceptedConnection& accepted);
  // A connection that was placed here is closed.
  void client_ended() {
    removed_.store(removed_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  void remove(ClientConnection& connection);
  void switch_snapshot(std::unique_ptr<Snapshot> snapshot);
  void announce_drain();
  std::size_t tunnels() const;
  // Idle connections close. Of `total` tunnels over all workers those of this one are the next after
  // `before`: they end one after the other, evenly over the time left, so that their clients do not come back
  // at once.
  void close_idle(Instant deadline, std::size_t before, std::size_t total);
  // When a tunnel made now is to end: never, or in a drain well before its end.
  Instant end_of_new_tunnel() const;
  // Cuts every connection; returns how many were in an exchange.
  std::uint64_t cut();

  // For any thread:
  // Client connections that are this worker's, those on their way to it included. Never too few: a connection
  // is counted by who accepts it, before it is handed over.
  std::uint64_t connections() const {
    const std::uint64_t removed = removed_.load(std::memory_order_acquire);
    return placed_.load(std::memory_order_relaxed) - removed;
  }
  std::int64_t last_turn() const { return last_turn_.load(std::memory_order_acquire); }

  Counters counters;
  AccessLogLane& log;
  BufferPool buffers;
  SplicePipes pipes;
  DeadlineWheel wheel;
  HeadBuffer scratch;  // used up within one step
  HeadMemory heads;
  AnswerMemory answers;
  Talkers talkers;

 private:
  void on_time(Instant now) override;
  void tick();
  void trim_exchanges();
  void answer_steal(Worker& asker, const std::shared_ptr<UpstreamServer>& server);
  void receive_stolen(std::unique_ptr<DetachedStream> stream, std::shared_ptr<UpstreamServer> server);
  void configure_pools();

  WorkerGroup& group_;
  const unsigned index_;
  EventLoop loop_;
  std::int64_t wall_offset_ms_ = 0;
  SnapshotRef snapshot_;
  DrainPhase phase_ = DrainPhase::serving;
  Instant drain_deadline_ = Instant::max();
  std::vector<std::unique_ptr<UpstreamPool>> pools_;  // one for each server of the snapshot
  std::vector<std::unique_ptr<Exchange>> spare_exchanges_;
  std::size_t least_spare_ = 0;  // of them since the last tick
  boost::intrusive::list<StealWaiter, boost::intrusive::constant_time_size<false>> steal_waiters_;
  std::vector<ClientConnection*> clients_;
  ProxyHandshake::List handshakes_;
  std::uint64_t random_state_[4];
  unsigned turn_ = 0;
  std::atomic<std::uint64_t> placed_{0};   // by the accepting thread
  std::atomic<std::uint64_t> removed_{0};  // by this worker
  std::atomic<std::int64_t> last_turn_{0};
};

}  // namespace sekisho::proxy
