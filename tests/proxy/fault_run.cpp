#include "tests/proxy/fault_run.hpp"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "proxy/listener.hpp"
#include "proxy/snapshot.hpp"
#include "tests/support/in_process.hpp"

namespace sekisho::test {
namespace {

// Above all timeouts of one run together.
constexpr auto patience = std::chrono::seconds(60);

constexpr std::size_t turns_to_drop = 5;

// One for all runs, since they share a thread.
proxy::AccessLogLane& log_lane(const config::Log& log) {
  static proxy::AccessLog access_log(log, 1);
  return access_log.lane(0);
}

}  // namespace

FaultRun::FaultRun(const FaultExchange& exchange, std::shared_ptr<const config::Config> config,
                   std::vector<Fault> faults)
    : exchange_(exchange),
      plan_(std::move(faults)),
      states_(ratelimit::Secret{1, 2}, 1),
      deadline_(std::chrono::steady_clock::now() + patience) {
  make_worker(std::move(config));
  for (std::size_t i = 0; i < exchange.clients; ++i) begin_client();
}

FaultRun::~FaultRun() = default;

void FaultRun::make_worker(std::shared_ptr<const config::Config> config) {
  upstreams_ = proxy::make_upstreams(*config, {}, 1, nullptr);
  for (std::size_t i = 0; i < exchange_.servers.size(); ++i) {
    proxy::UpstreamServer& server = *upstreams_->main().servers[i];
    const sockaddr_in address = loopback(exchange_.servers[i]);
    server.set_endpoints({proxy::StreamEndpoint(&address, sizeof address)});
    server.make_stream = [this](proxy::EventLoop& loop) {
      return MemoryStream::unconnected(
          loop, [this](const proxy::StreamEndpoint& endpoint) { return connect(endpoint); }, streams_);
    };
  }
  group_.budget = std::make_unique<proxy::BufferBudget>(config->buffer_total());
  group_.workers.push_back(std::make_unique<proxy::Worker>(group_, 0, log_lane(config->log)));
  worker_ = group_.workers.front().get();
  const auto now = std::chrono::steady_clock::now();
  config::Diagnostics diagnostics;
  auto limits = states_.prepare(*config, now, diagnostics);
  auto engine = policy::Engine::compile(config, limits, 0, diagnostics);
  if (!engine) throw std::runtime_error(diagnostics.format(diagnostics.all().front()));
  states_.commit(*config, std::move(limits), now);
  worker_->switch_snapshot(std::make_unique<proxy::Snapshot>(config, std::move(engine), upstreams_, 1));
  worker_->begin();
}

void FaultRun::begin_client() {
  auto connection = std::make_shared<MemoryConnection>(plan_, Operation::client_read, Operation::client_write,
                                                       exchange_.pipe);
  proxy::AcceptedConnection accepted;
  accepted.peer = *config::IpAddress::parse("127.0.0.1");
  auto listener = std::make_shared<proxy::ListenerState>();
  listener->shared = std::make_shared<proxy::ListenerShared>();
  accepted.listener = std::move(listener);
  clients_.emplace_back(exchange_, connection);
  worker_->expect_client();
  worker_->begin_client(MemoryStream::connected(worker_->loop(), connection, streams_), accepted);
}

MemoryStream::Connect FaultRun::connect(const proxy::StreamEndpoint& endpoint) {
  sockaddr_in address{};
  std::memcpy(&address, endpoint.data(), sizeof address);
  const Failure failure = plan_.next(Operation::connect);
  if (failure == Failure::unanswered) return {};
  const bool refusing =
      std::ranges::find(exchange_.refusing, ntohs(address.sin_port)) != exchange_.refusing.end();
  if (failure == Failure::refused || refusing) return {nullptr, boost::asio::error::connection_refused};
  auto connection = std::make_shared<MemoryConnection>(plan_, Operation::upstream_read,
                                                       Operation::upstream_write, exchange_.pipe);
  const MemoryConnection* raw = connection.get();
  connection->on_taken = [this, raw](std::size_t bytes) { written(*raw, bytes); };
  connection->on_delivered = [this, raw](std::size_t bytes) {
    const auto last = std::find_if(attempts_.rbegin(), attempts_.rend(),
                                   [&](const FaultAttempt& each) { return each.connection == raw; });
    if (last != attempts_.rend()) last->given_back += bytes;
  };
  sessions_.emplace_back(exchange_, connection);
  return {connection, {}};
}

// A request is written before it is counted, and all before it have been: the count says which it is.
void FaultRun::written(const MemoryConnection& connection, std::size_t bytes) {
  const auto on_it = [&](const FaultAttempt& each) { return each.connection == &connection; };
  const auto last = std::find_if(attempts_.rbegin(), attempts_.rend(), on_it);
  if (last != attempts_.rend() && last->request == counted()) {
    last->written += bytes;
  } else {
    attempts_.push_back({counted(), &connection, last != attempts_.rend(), bytes, 0});
  }
}

bool FaultRun::step() {
  if (over_) return false;
  bool changed = worker_->loop().poll() > 0;
  for (FaultClient& client : clients_) changed |= client.step();
  for (FaultSession& session : sessions_) changed |= session.step();
  if (!clients_gone_ && worker_->connections() == 0) {
    clients_gone_ = changed = true;
    for (FaultClient& client : clients_) client.step();
    check_pooled();
    for (FaultSession& session : sessions_) {
      session.step();
      session.peer.close();
      session.over = true;
    }
  }
  // The pool sees its connections close at once, but where a FIN does not get through.
  if (clients_gone_ && ++turns_at_the_end_ == turns_to_drop && !upstream_stalled()) {
    expect(worker_->counters.upstream_idle.get() == 0, "a connection that closed stays in the pool");
  }
  const bool late = std::chrono::steady_clock::now() > deadline_;
  if (late) expect(false, clients_gone_ ? "the pooled connections stay" : "it hangs");
  if (late || (clients_gone_ && at_base())) {
    over_ = changed = true;
    if (clients_gone_) check();
  }
  return changed;
}

std::size_t FaultRun::counted() const {
  std::size_t sum = 0;
  for (const proxy::Count& count : worker_->counters.requests) sum += count.get();
  return sum;
}

std::size_t FaultRun::answers() const {
  std::size_t sum = 0;
  for (const proxy::Count& count : worker_->counters.responses_upstream) sum += count.get();
  for (const proxy::Count& count : worker_->counters.responses_sekisho) sum += count.get();
  return sum;
}

std::size_t FaultRun::connection_permits() const {
  std::size_t sum = 0;
  for (const auto& server : upstreams_->main().servers) sum += server->connections.held();
  return sum;
}

bool FaultRun::at_base() const {
  return worker_->counters.upstream_idle.get() == 0 && streams_ == 0;
}

std::string FaultRun::outcome() const {
  std::string text;
  for (const FaultClient& client : clients_) {
    text += text.empty() ? "" : ", ";
    for (const ReadMessage& reply : client.replies.messages) {
      text += fmt::format("{}{} ", reply.status(), reply.complete ? "" : " in part");
    }
    text += client.reset ? "reset" : "end";
  }
  return text;
}

}  // namespace sekisho::test
