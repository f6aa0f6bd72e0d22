// acquire: a permit where max_in_flight is set, then the newest idle connection, another worker's newest, or
// a new one.
#include <algorithm>
#include <boost/asio/post.hpp>

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
// taken in.
void Forward::watch_client() {
  Link& link = client_.link_;
  link.book_read();
  if (!exchange_.request_body.complete || !exchange_.body_in.empty()) return;
  link.arm_read(link.in);
}

Task<ForwardEnd> Forward::wait_for_permit(Permits& permits) {
  if (permits.try_acquire()) co_return ForwardEnd::complete;
  const config::Queue& queue = upstream_config().queue;
  auto grant = std::make_shared<Grant>();
  grant->sleeper = &client_;
  auto waiter = std::make_shared<PermitWaiter>();
  asio::io_context& io = client_.worker_.io();
  waiter->granted = [grant, &io] {
    boost::asio::post(io, [grant] {
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
    if (grant->granted) {
      leave.taken = true;
      co_return ForwardEnd::complete;
    }
    if (client_.link_.gone() || client_.link_.eof) co_return ForwardEnd::client_gone;
    if (client_.cut_) co_return ForwardEnd::draining;
    if (client_.now() >= deadline) co_return ForwardEnd::queue_full;
    client_.sleep_until(deadline);
    co_await client_.wakeup_;
  }
}

Task<ForwardEnd> Forward::acquire(bool fresh) {
  Worker& worker = client_.worker_;
  const std::shared_ptr<UpstreamShared>& shared = exchange_.snapshot->upstream;
  exchange_.upstream_name.assign(shared->server);
  const Instant began = client_.now();
  if (shared->in_flight.bounded()) {
    const ForwardEnd end = co_await wait_for_permit(shared->in_flight);
    const auto waited = client_.now() - began;
    exchange_.queue_us = std::chrono::duration_cast<std::chrono::microseconds>(waited).count();
    worker.counters.upstream_queue.observe_ns(static_cast<std::uint64_t>(waited.count()));
    if (end != ForwardEnd::complete) co_return end;
    exchange_.holds_permit = true;
  } else {
    exchange_.queue_us = 0;
  }
  if (worker.current().upstream == shared && !fresh) exchange_.upstream = worker.pool.take();
  // What may not be sent twice looks first whether the server has closed, or said what nobody asked for, a
  // moment ago; the rest finds out by trying.
  while (exchange_.upstream && !idempotent(exchange_.head.method) && !exchange_.upstream->stream->quiet()) {
    exchange_.upstream = worker.pool.take();
  }
  if (!exchange_.upstream) {
    const ForwardEnd end = co_await connect(fresh);
    if (end != ForwardEnd::complete) co_return end;
  }
  exchange_.upstream->stream->set_listener(&client_);
  upstream_link_ = exchange_.upstream.get();
  upstream_link_->bytes_written = upstream_link_->bytes_read = 0;
  worker.counters.upstream_active.add();
  exchange_.upstream_used = true;
  co_return ForwardEnd::complete;
}

Task<ForwardEnd> Forward::connect(bool fresh) {
  Worker& worker = client_.worker_;
  const std::shared_ptr<UpstreamShared> shared = exchange_.snapshot->upstream;

  StealWaiter theft;
  theft.sleeper = &client_;
  if (!fresh && worker.steal(theft)) {
    while (!theft.answered) {
      watch_client();
      client_.sleep_until(Instant::max());
      co_await client_.wakeup_;
    }
    if (theft.connection && theft.connection->shared == shared) {
      exchange_.upstream = std::move(theft.connection);
      co_return ForwardEnd::complete;
    }
  }

  if (shared->connections.bounded()) {
    const ForwardEnd end = co_await wait_for_permit(shared->connections);
    if (end != ForwardEnd::complete) co_return end;
  }
  // From here on the connection's object owns that permit.
  exchange_.upstream = std::make_unique<UpstreamConnection>(worker.buffers, shared);
  const Instant deadline = client_.now() + upstream_config().connect_timeout;
  const std::vector<StreamEndpoint> endpoints = shared->endpoints();
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    // One that does not answer leaves the next ones their share of the time.
    const Duration share = (deadline - client_.now()) / static_cast<std::int64_t>(endpoints.size() - i);
    const boost::system::error_code error = co_await connect_to(endpoints[i], client_.now() + share);
    if (client_left()) co_return ForwardEnd::client_gone;
    if (!error) {
      shared->ever_reached.store(true, std::memory_order_relaxed);
      if (!shared->healthy.load(std::memory_order_relaxed))
        shared->healthy.store(true, std::memory_order_relaxed);
      co_return ForwardEnd::complete;
    }
  }
  exchange_.upstream.reset();
  co_return ForwardEnd::connect_failed;
}

Task<boost::system::error_code> Forward::connect_to(const StreamEndpoint& endpoint, Instant deadline) {
  UpstreamConnection& connection = *exchange_.upstream;
  for (;;) {
    connection.close();
    connection.stream = connection.shared->make_stream(client_.worker_.io());
    connection.stream->set_listener(&client_);
    connection.stream->start_connect(endpoint);
    while (!connection.stream->connect_result()) {
      if (client_.now() >= deadline || client_left()) {
        connection.close();
        co_return boost::asio::error::timed_out;
      }
      client_.sleep_until(deadline);
      co_await client_.wakeup_;
      watch_client();
    }
    const boost::system::error_code error = *connection.stream->connect_result();
    if (!error) co_return error;
    // A UNIX socket says EAGAIN while the server's backlog is full: it is there, so it is asked again.
    if (error != boost::asio::error::try_again || client_.now() + backlog_retry >= deadline) co_return error;
    const Instant again = client_.now() + backlog_retry;
    while (client_.now() < again && !client_left()) {
      client_.sleep_until(again);
      co_await client_.wakeup_;
      client_.worker_.touch();
    }
  }
}

void Forward::release_permit() {
  if (!exchange_.holds_permit) return;
  exchange_.holds_permit = false;
  exchange_.snapshot->upstream->in_flight.release();
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
  if (reusable) client_.worker_.pool.put(std::move(connection), client_.now());
}

}  // namespace sekisho::proxy
