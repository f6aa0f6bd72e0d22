// acquire: a permit where max_in_flight is set, a server, then the newest idle connection to it, another
// worker's newest, or a new one. A server that cannot be reached got nothing of the request: the next is
// tried.
#include <algorithm>
#include <string>
#include <utility>

#include "proxy/forward.hpp"
#include "proxy/worker.hpp"

namespace sekisho::proxy {
namespace {

constexpr Duration backlog_retry = std::chrono::milliseconds(100);

// Links a queued waiter to the connection that sleeps; outlives both, since a grant may be under way when the
// connection leaves.
struct Grant {
  ClientConnection* sleeper = nullptr;
  bool granted = false;
};

}  // namespace

// Keeps an eye on the client while we wait for something else: its reset is seen, and what it sends early is
// taken in. What it was still owed (an answer held back for one send with this one's) goes out.
void Forward::watch_client() {
  Link& link = client_.link_;
  link.flush(client_.now());
  link.book_read();
  if (!exchange_.request_body.complete || !exchange_.body_in.empty()) return;
  link.arm_read(link.in);
}

Task<ForwardEnd> Forward::wait_for_permit(Permits& permits, std::shared_ptr<DetachedStream>* connection) {
  if (permits.try_acquire()) co_return ForwardEnd::complete;
  const config::Queue& queue = upstream_config().queue;
  auto grant = std::make_shared<Grant>();
  grant->sleeper = &client_;
  auto waiter = std::make_shared<PermitWaiter>();
  EventLoop& loop = client_.worker_.loop();
  waiter->granted = [grant, &loop] {
    loop.post([grant] {
      grant->granted = true;
      if (grant->sleeper != nullptr) grant->sleeper->on_stream();
    });
  };
  switch (permits.enqueue(waiter, queue.size)) {
    case Permits::Enqueue::acquired:
      co_return ForwardEnd::complete;
    case Permits::Enqueue::full:
      co_return ForwardEnd::queue_full;
    case Permits::Enqueue::queued:
      break;
  }
  // Leaves the queue however this wait ends; a permit that was granted meanwhile is passed on.
  struct Leave {
    Permits& permits;
    std::shared_ptr<PermitWaiter> waiter;
    std::shared_ptr<Grant> grant;
    bool taken = false;
    ~Leave() {
      grant->sleeper = nullptr;
      if (!taken && !permits.cancel(waiter)) permits.release();
    }
  } leave{permits, waiter, grant};
  const Instant deadline = client_.now() + queue.timeout;
  for (;;) {
    watch_client();
    if (client_.hung_up()) co_return ForwardEnd::client_gone;
    if (grant->granted) {
      leave.taken = true;
      if (connection != nullptr) *connection = std::move(waiter->connection);
      co_return ForwardEnd::complete;
    }
    if (client_.cut_) co_return ForwardEnd::draining;
    if (client_.now() >= deadline) co_return ForwardEnd::queue_full;
    client_.sleep_until(deadline);
    co_await client_.wakeup_;
  }
}

// One of the upstream's max_in_flight.
Task<ForwardEnd> Forward::take_permit(Permits& permits) {
  const Instant began = client_.now();
  const ForwardEnd end = co_await wait_for_permit(permits);
  const auto waited = client_.now() - began;
  exchange_.queue_us = std::chrono::duration_cast<std::chrono::microseconds>(waited).count();
  client_.worker_.counters.upstream_queue.observe_ns(static_cast<std::uint64_t>(waited.count()));
  exchange_.holds_permit = end == ForwardEnd::complete;
  co_return end;
}

// False once every server was tried.
bool Forward::choose_server() {
  const Upstream& upstream = *exchange_.route().upstream;
  std::size_t index = 0;
  UpstreamServer* server = upstream.choose(tried_, client_.worker_.next_turn(), index);
  if (server == nullptr) return false;
  tried_ |= std::uint64_t{1} << index;
  exchange_.server = server;
  exchange_.upstream_name.assign(server->text);
  return true;
}

// From here on the request counts as being at the server.
void Forward::begin_flight() {
  exchange_.in_flight = true;
  client_.worker_.counters.upstream_in_flight.add();
  if (exchange_.route().upstream->several())
    exchange_.server->in_flight.fetch_add(1, std::memory_order_relaxed);
}

// What nearly every request has: a permit without waiting, and an idle connection.
bool Forward::acquire_idle() {
  exchange_.queue_us = 0;
  if (Permits& permits = *exchange_.route().upstream->in_flight; permits.bounded()) {
    if (!permits.try_acquire()) return false;
    exchange_.holds_permit = true;
    client_.worker_.counters.upstream_queue.observe_ns(0);
  }
  tried_ = 0;
  if (!choose_server()) return false;
  begin_flight();
  if (take_idle()) {
    take_up();
    return true;
  }
  end_stay();
  chosen_ = true;
  return false;
}

Task<ForwardEnd> Forward::acquire(bool fresh) {
  Permits& permits = *exchange_.route().upstream->in_flight;
  if (permits.bounded() && !exchange_.holds_permit) {
    const ForwardEnd end = co_await take_permit(permits);
    if (end != ForwardEnd::complete) co_return end;
  }
  if (!chosen_) tried_ = 0;
  ForwardEnd end = ForwardEnd::connect_failed;
  while (end == ForwardEnd::connect_failed && (std::exchange(chosen_, false) || choose_server())) {
    begin_flight();
    end = !fresh && take_idle() ? ForwardEnd::complete : co_await connect(fresh);
    if (end == ForwardEnd::complete) break;
    end_stay();
  }
  if (end == ForwardEnd::complete) take_up();
  co_return end;
}

void Forward::take_up() {
  exchange_.upstream->stream->set_listener(&client_);
  upstream_link_ = exchange_.upstream.get();
  upstream_link_->bytes_written = upstream_link_->bytes_read = 0;
  client_.worker_.counters.upstream_active.add();
  exchange_.upstream_used = true;
}

// What may not be sent twice looks first whether the server has closed the kept connection, or said what
// nobody asked for, a moment ago; the rest finds out by trying.
bool Forward::may_use(const UpstreamConnection& kept) const {
  return idempotent(exchange_.head.method) || kept.stream->quiet();
}

// The newest idle connection of this worker to the server chosen; false where there is none to use.
bool Forward::take_idle() {
  UpstreamPool* pool = client_.worker_.pool_of(*exchange_.server);
  if (pool == nullptr) return false;
  do {
    exchange_.upstream = pool->take();
  } while (exchange_.upstream && !may_use(*exchange_.upstream));
  return exchange_.upstream != nullptr;
}

// Another worker's, one that is passed on, or a new one.
Task<ForwardEnd> Forward::connect(bool fresh) {
  Worker& worker = client_.worker_;
  UpstreamServer& server = *exchange_.server;

  StealWaiter theft;
  theft.sleeper = &client_;
  theft.server = &server;
  if (!fresh && worker.steal(theft)) {
    while (!theft.answered) {
      watch_client();
      client_.sleep_until(Instant::max());
      co_await client_.wakeup_;
    }
    if (theft.connection && may_use(*theft.connection)) {
      exchange_.upstream = std::move(theft.connection);
      co_return ForwardEnd::complete;
    }
  }

  std::shared_ptr<DetachedStream> passed_on;
  if (server.connections.bounded()) {
    const ForwardEnd end = co_await wait_for_permit(server.connections, &passed_on);
    if (end != ForwardEnd::complete) co_return end;
  }
  // From here on the connection's object owns that permit.
  exchange_.upstream = std::make_unique<UpstreamConnection>(worker.buffers, server.shared_from_this());
  if (passed_on && !fresh) {
    exchange_.upstream->stream = passed_on->attach(worker.loop());
    if (exchange_.upstream->stream && may_use(*exchange_.upstream)) {
      exchange_.upstream->reused = true;
      co_return ForwardEnd::complete;
    }
  }
  passed_on = nullptr;
  const Instant deadline = client_.now() + upstream_config().connect_timeout;
  const std::vector<StreamEndpoint> endpoints = server.endpoints();
  const std::size_t first = server.next_address(endpoints.size());
  std::string problem = "its name does not resolve";
  bool shortage = false;
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    // One that does not answer leaves the next ones their share of the time.
    const Duration share = (deadline - client_.now()) / static_cast<std::int64_t>(endpoints.size() - i);
    const StreamEndpoint& endpoint = endpoints[(first + i) % endpoints.size()];
    const boost::system::error_code error = co_await connect_to(endpoint, client_.now() + share);
    if (client_left()) co_return ForwardEnd::client_gone;
    if (!error) {
      server.note_reachable();
      co_return ForwardEnd::complete;
    }
    problem = error == boost::asio::error::timed_out ? "connecting timed out" : error.message();
    shortage = local_shortage(error);
    if (shortage) break;
  }
  exchange_.upstream.reset();
  if (shortage) {
    server.note_shortage(problem);
  } else {
    server.note_unreachable(problem);
  }
  server.count_error(UpstreamErrorReason::connect);
  co_return ForwardEnd::connect_failed;
}

Task<boost::system::error_code> Forward::connect_to(const StreamEndpoint& endpoint, Instant deadline) {
  UpstreamConnection& connection = *exchange_.upstream;
  for (;;) {
    connection.close();
    connection.stream = connection.server->make_stream(client_.worker_.loop());
    connection.stream->set_listener(&client_);
    connection.stream->start_connect(endpoint);
    while (!connection.stream->connect_result()) {
      watch_client();
      if (client_.now() >= deadline || client_left()) {
        connection.close();
        co_return boost::asio::error::timed_out;
      }
      client_.sleep_until(deadline);
      co_await client_.wakeup_;
    }
    const boost::system::error_code error = *connection.stream->connect_result();
    if (!error) co_return error;
    // A UNIX socket says EAGAIN while the server's backlog is full: it is there, so it is asked again. So it
    // is where there was no descriptor left here: another may be closed in a moment.
    const bool passing = error == boost::asio::error::try_again || local_shortage(error);
    if (!passing || client_.now() + backlog_retry >= deadline) co_return error;
    const Instant again = client_.now() + backlog_retry;
    while (client_.now() < again && !client_left()) {
      client_.sleep_until(again);
      co_await client_.wakeup_;
    }
  }
}

// The request is not at the server any more.
void Forward::end_stay() {
  if (!exchange_.in_flight) return;
  exchange_.in_flight = false;
  client_.worker_.counters.upstream_in_flight.subtract();
  if (exchange_.route().upstream->several())
    exchange_.server->in_flight.fetch_sub(1, std::memory_order_relaxed);
}

// Nor does it keep another from being there.
void Forward::end_flight() {
  end_stay();
  if (!exchange_.holds_permit) return;
  exchange_.holds_permit = false;
  exchange_.route().upstream->in_flight->release();
}

// How long the server had the request, however that ended; of the last try where there were several.
void Forward::book_upstream_time() {
  const auto lasted = client_.now() - exchange_.upstream_started;
  exchange_.upstream_us = std::chrono::duration_cast<std::chrono::microseconds>(lasted).count();
  client_.worker_.counters.upstream_duration.observe_ns(static_cast<std::uint64_t>(lasted.count()));
}

void Forward::release_upstream(bool reusable) {
  if (!exchange_.upstream) return;
  if (upstream_link_ != nullptr) {
    book_upstream_time();
    upstream_link_ = nullptr;
    client_.worker_.counters.upstream_active.subtract();
  }
  auto connection = std::move(exchange_.upstream);
  if (!connection->stream) return;
  connection->stream->set_listener(nullptr);
  if (!reusable) return;
  if (UpstreamPool* pool = client_.worker_.pool_of(*connection->server); pool != nullptr)
    pool->put(std::move(connection), client_.now());
}

}  // namespace sekisho::proxy
