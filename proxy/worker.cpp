#include "proxy/worker.hpp"

#include <sys/random.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdlib>

#include "proxy/client_connection.hpp"
#include "proxy/upstream_connection.hpp"

namespace sekisho::proxy {
namespace {

constexpr Duration handshake_in_drain = std::chrono::seconds(1);
constexpr std::size_t most_spare_exchanges = 1024, few_spare_exchanges = 64;
constexpr unsigned most_in_the_tarpit = 1000;
constexpr std::size_t fields_of_ours = 16 * 1024;

std::int64_t to_ms(auto duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

Worker::Worker(WorkerGroup& group, unsigned index, AccessLogLane& lane)
    : log(lane),
      buffers(*group.budget, counters.buffer_bytes, counters.heap),
      wheel(std::chrono::steady_clock::now()),
      scratch(ResponseParser::head_bound(0) + fields_of_ours),
      talkers(std::chrono::steady_clock::now()),
      group_(group),
      index_(index) {
  if (::getrandom(random_state_, sizeof random_state_, 0) != sizeof random_state_) std::abort();
  last_turn_.store(now().time_since_epoch().count(), std::memory_order_release);
}

Worker::~Worker() {
  steal_waiters_.clear();
  for (ClientConnection* client : clients_) delete client;
  pools_.clear();
}

void Worker::run() {
  begin();
  loop_.run();
}

void Worker::begin() {
  loop_.touch();
  tick();
}

std::int64_t Worker::wall_ms() const {
  return to_ms(now().time_since_epoch()) + wall_offset_ms_;
}

void Worker::on_time(Instant) {
  tick();
}

void Worker::tick() {
  wall_offset_ms_ =
      to_ms(std::chrono::system_clock::now().time_since_epoch()) - to_ms(now().time_since_epoch());
  last_turn_.store(now().time_since_epoch().count(), std::memory_order_release);
  wheel.turn(now());
  for (const auto& pool : pools_) pool->expire(now());
  buffers.trim();
  SlabPool::trim();
  pipes.trim();
  trim_exchanges();
  log.flush();
  loop_.start(*this, wheel.next_turn());
}

// Those that nobody needed since the last tick go, by halves, but for a few.
void Worker::trim_exchanges() {
  if (least_spare_ > few_spare_exchanges)
    spare_exchanges_.resize(spare_exchanges_.size() - (least_spare_ - few_spare_exchanges + 1) / 2);
  least_spare_ = spare_exchanges_.size();
}

std::unique_ptr<Exchange> Worker::borrow_exchange() {
  std::unique_ptr<Exchange> exchange;
  if (spare_exchanges_.empty()) {
    exchange = std::make_unique<Exchange>(buffers);
  } else {
    exchange = std::move(spare_exchanges_.back());
    spare_exchanges_.pop_back();
    least_spare_ = std::min(least_spare_, spare_exchanges_.size());
  }
  set_limits(*exchange);
  exchange->request_parser.reset();
  return exchange;
}

void Worker::set_limits(Exchange& exchange) const {
  const config::Client& client = snapshot_->config->client;
  exchange.request_parser.set_limits({client.max_header_bytes, client.max_headers});
  exchange.response_parser.set_limits(
      {ResponseParser::head_bound(client.max_header_bytes), 4 * client.max_headers});
}

void Worker::give_back(std::unique_ptr<Exchange> exchange) {
  exchange->reset();
  if (spare_exchanges_.size() < most_spare_exchanges) spare_exchanges_.push_back(std::move(exchange));
}

// xoshiro256** (Blackman and Vigna): names requests, decides nothing.
void Worker::random(std::uint64_t (&words)[2]) {
  for (std::uint64_t& word : words) {
    std::uint64_t* s = random_state_;
    word = std::rotl(s[1] * 5, 7) * 9;
    const std::uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = std::rotl(s[3], 45);
  }
}

UpstreamPool* Worker::pool_of(const UpstreamServer& server) {
  for (const auto& pool : pools_) {
    if (pool->server().get() == &server) return pool.get();
  }
  return nullptr;
}

bool Worker::steal(StealWaiter& waiter) {
  UpstreamPool* pool = pool_of(*waiter.server);
  const std::size_t richest = pool == nullptr ? group_.workers.size() : pool->richest_peer();
  if (richest >= group_.workers.size()) return false;
  Worker& peer = *group_.workers[richest];
  steal_waiters_.push_back(waiter);
  peer.loop().post([this, &peer, server = pool->server()] { peer.answer_steal(*this, server); });
  return true;
}

void Worker::answer_steal(Worker& asker, const std::shared_ptr<UpstreamServer>& server) {
  UpstreamPool* pool = pool_of(*server);
  const std::uint32_t addresses = server->addresses();
  auto stream = pool == nullptr ? nullptr : pool->give_away();
  asker.loop().post([&asker, stream = std::move(stream), server, addresses]() mutable {
    if (addresses != server->addresses()) stream = nullptr;  // it may be outdated by now
    asker.receive_stolen(std::move(stream), server);
  });
}

void Worker::receive_stolen(std::unique_ptr<DetachedStream> stream, std::shared_ptr<UpstreamServer> server) {
  std::unique_ptr<UpstreamConnection> connection;
  if (Stream::Ptr attached = stream ? stream->attach(loop_) : nullptr) {
    connection = std::make_unique<UpstreamConnection>(buffers, server);
    connection->stream = std::move(attached);
    connection->reused = true;
  }
  const auto at = std::ranges::find(steal_waiters_, server.get(), &StealWaiter::server);
  if (at == steal_waiters_.end()) {
    UpstreamPool* pool = pool_of(*server);
    if (connection && pool != nullptr) pool->put(std::move(connection), now());
    return;
  }
  StealWaiter& waiter = *at;
  waiter.unlink();
  waiter.connection = std::move(connection);
  waiter.answered = true;
  waiter.sleeper->ring();
}

void Worker::adopt_client(const AcceptedConnection& accepted) {
  if (accepted.listener->proxy_protocol) {
    ProxyHandshake::begin(*this, accepted, handshakes_);
  } else {
    begin_client(accepted);
  }
}

void Worker::begin_client(const AcceptedConnection& accepted) {
  begin_client(SocketStream::adopt_accepted(loop_, accepted.family, accepted.descriptor), accepted);
}

void Worker::begin_client(Stream::Ptr stream, const AcceptedConnection& accepted) {
  auto* client = new ClientConnection(*this, std::move(stream), accepted);
  client->place = clients_.size();
  clients_.push_back(client);
  client->start();
}

void Worker::remove(ClientConnection& connection) {
  clients_.back()->place = connection.place;
  clients_[connection.place] = clients_.back();
  clients_.pop_back();
  delete &connection;
  client_ended();
}

void Worker::switch_snapshot(std::unique_ptr<Snapshot> snapshot) {
  snapshot_ = SnapshotRef(std::move(snapshot));
  const config::Config& config = *snapshot_->config;
  const std::size_t wanted = ResponseParser::head_bound(config.client.max_header_bytes) + fields_of_ours;
  if (scratch.capacity() < wanted) scratch = HeadBuffer(wanted);
  answers.forget();
  heads.set_limits({config.client.max_header_bytes, config.client.max_headers});
  configure_pools();
}

bool Worker::enter_tarpit() {
  if (group_.tarpitted.fetch_add(1, std::memory_order_relaxed) < most_in_the_tarpit) return true;
  leave_tarpit();
  return false;
}

void Worker::leave_tarpit() {
  group_.tarpitted.fetch_sub(1, std::memory_order_relaxed);
}

// The idle connections of a server that no upstream names any more are closed; those in use are when their
// exchange ends.
void Worker::configure_pools() {
  std::vector<std::unique_ptr<UpstreamPool>> kept;
  for (const Route& route : snapshot_->routes) {
    const std::uint64_t in_flight = route.upstream_config->max_in_flight;
    const std::size_t servers = route.upstream->servers.size();
    const std::size_t share = (in_flight + servers - 1) / servers;
    const std::size_t bound = in_flight != 0 ? share : std::max<std::size_t>(group_.workers.size(), 8);
    for (const auto& server : route.upstream->servers) {
      const auto has = [&](const auto& pool) { return pool != nullptr && pool->server() == server; };
      if (std::ranges::any_of(kept, has)) continue;
      const auto at = std::ranges::find_if(pools_, has);
      kept.push_back(at != pools_.end() ? std::move(*at)
                                        : std::make_unique<UpstreamPool>(server, index_, counters));
      kept.back()->configure(bound, route.upstream_config->idle_timeout);
    }
  }
  pools_ = std::move(kept);
}

void Worker::announce_drain() {
  phase_ = DrainPhase::announced;
}

std::size_t Worker::tunnels() const {
  return static_cast<std::size_t>(std::ranges::count_if(clients_, &ClientConnection::in_tunnel));
}

void Worker::close_idle(Instant deadline, std::size_t before, std::size_t total) {
  phase_ = DrainPhase::closing;
  drain_deadline_ = deadline;
  const Duration left = std::max(deadline - now(), Duration::zero());
  for (ProxyHandshake& each : handshakes_) {
    each.end_by(now() + handshake_in_drain);
  }
  std::size_t nth = before;
  const std::vector<ClientConnection*> all = clients_;
  for (ClientConnection* client : all) {
    if (client->in_tunnel()) {
      ++nth;
      client->end_tunnel_at(now() +
                            left / static_cast<std::int64_t>(total + 1) * static_cast<std::int64_t>(nth));
    } else if (!client->in_exchange()) {
      client->ring();
    }
  }
}

Instant Worker::end_of_new_tunnel() const {
  return phase_ == DrainPhase::closing ? now() + std::max(drain_deadline_ - now(), Duration::zero()) / 2
                                       : Instant::max();
}

std::uint64_t Worker::cut() {
  std::uint64_t exchanges = 0;
  while (!handshakes_.empty()) handshakes_.front().abandon();
  const std::vector<ClientConnection*> all = clients_;
  for (ClientConnection* client : all) {
    if (client->in_exchange()) ++exchanges;
    client->cut();
  }
  return exchanges;
}

}  // namespace sekisho::proxy
