// One worker in the test's own thread, between a scripted client and a scripted upstream, with faults.
#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "config/load.hpp"
#include "proxy/policy/limit_states.hpp"
#include "proxy/upstreams.hpp"
#include "proxy/worker.hpp"
#include "tests/proxy/fault_peers.hpp"

namespace sekisho::test {

// A stretch of bytes of one request on one connection to the upstream.
struct FaultAttempt {
  std::size_t request = 0;  // by its place in the exchange
  const MemoryConnection* connection = nullptr;
  bool reused = false;  // the connection had served before
  std::size_t written = 0;
  std::size_t given_back = 0;  // bytes that the proxy had of an answer
};

// Moved along by step() until it is over; many may be on their way at once, so that their timeouts pass
// together.
class FaultRun {
 public:
  FaultRun(const FaultExchange& exchange, std::shared_ptr<const config::Config> config,
           std::vector<Fault> faults);
  ~FaultRun();

  // A turn of the loop and of both peers; whether anything happened.
  bool step();
  bool over() const { return over_; }

  const FaultExchange& exchange() const { return exchange_; }
  const FaultPlan& plan() const { return plan_; }
  // Once it is over: every invariant that does not hold, in words.
  const std::vector<std::string>& wrong() const { return wrong_; }
  // What each client got, and how its connection ended.
  std::string outcome() const;

 private:
  void make_worker(std::shared_ptr<const config::Config> config);
  void begin_client();
  MemoryStream::Connect connect(const proxy::StreamEndpoint& endpoint);
  void written(const MemoryConnection& connection, std::size_t bytes);
  std::size_t counted() const;
  std::size_t answers() const;
  std::size_t connection_permits() const;
  std::uint64_t places_taken() const;
  bool at_base() const;

  // The invariants.
  void check();
  void check_counts();
  void check_counts_by_status();
  void check_answers(const FaultClient& client);
  void check_answer(const ReadMessage& reply, const ScriptedRequest& request);
  void check_tunnel();
  void check_attempts();
  void check_requests_seen();
  void check_pooled();
  void check_base();
  bool client_failed() const;  // by a fault
  bool harmless() const;       // nothing but the pace was changed
  bool upstream_stalled() const;
  bool fin_came_early() const;  // from the upstream
  std::size_t requests_begun(const FaultClient& client) const;
  void expect(bool condition, const std::string& what);

  const FaultExchange& exchange_;
  FaultPlan plan_;
  std::size_t streams_ = 0;  // that are alive
  policy::LimitStates states_;
  std::shared_ptr<const proxy::Upstreams> upstreams_;
  proxy::WorkerGroup group_;
  proxy::Worker* worker_ = nullptr;
  std::list<FaultClient> clients_;
  std::list<FaultSession> sessions_;
  std::vector<FaultAttempt> attempts_;
  std::vector<std::string> wrong_;
  std::chrono::steady_clock::time_point deadline_;
  bool clients_gone_ = false;         // the worker has let go of them
  std::size_t turns_at_the_end_ = 0;  // since the upstream's connections were closed
  bool over_ = false;
};

}  // namespace sekisho::test
