#include "proxy/tunnel.hpp"

#include <algorithm>

#include "proxy/worker.hpp"

namespace sekisho::proxy {
namespace {

constexpr std::size_t read_size = 16 * 1024;
constexpr std::size_t most_queued = 64 * 1024;  // towards a slow side; then the other is not read

}  // namespace

Tunnel::Tunnel(ClientConnection& client, Exchange& exchange)
    : client_(client), exchange_(exchange), timeout_(exchange.route().upstream_config->tunnel_timeout) {
  client_.worker_.counters.tunnels_active.add();
  client_.in_tunnel_ = true;
  exchange_.outcome = policy::Outcome::tunnel;
  client_.over_ = true;
  client_.tunnel_end_ = client_.worker_.end_of_new_tunnel();
}

Tunnel::~Tunnel() {
  client_.worker_.counters.tunnels_active.subtract();
  client_.worker_.counters.upstream_active.subtract();
  client_.in_tunnel_ = false;
  exchange_.upstream.reset();
}

// Moves what was read on one side to the other, and the FIN after the last byte (half-close).
void Tunnel::carry(Link& from, InputBuffer& read_into, Link& to, bool& closed) {
  for (InputBuffer* source : {&from.in, &read_into}) {
    if (source->empty()) continue;
    to.send(source->unread(), client_.now());
    source->consume(source->unread().size());
  }
  to.flush(client_.now());
  if (from.eof && !closed && to.out.empty() && !to.gone()) {
    to.stream->shutdown_send();
    closed = true;
  }
}

// Whether nothing more will go from one side to the other. A side that takes nothing any more may have sent
// its last words first: the other direction goes on until they are delivered.
bool Tunnel::over(const Link& from, const Link& to, bool closed) {
  return closed || to.gone() || (from.broken && to.out.empty());
}

void Tunnel::arm(Link& from, InputBuffer& read_into, const Link& to) {
  if (to.takes_more(read_size, most_queued)) from.arm_read(read_into, read_size, read_size);
}

Task<void> Tunnel::run() {
  Link& client = client_.link_;
  Link& upstream = *exchange_.upstream;
  exchange_.snapshot->engine->detach(exchange_.admission, exchange_.status, client_.now());
  exchange_.admission.limit_name = {};
  exchange_.snapshot = SnapshotRef();
  bool client_closed = false, upstream_closed = false;
  Instant progress = client_.now();
  for (;;) {
    if (client.book_read()) progress = client_.now();
    if (upstream.book_read()) progress = client_.now();
    const std::uint64_t client_bytes = client.bytes_written, upstream_bytes = upstream.bytes_written;
    carry(client, exchange_.body_in, upstream, upstream_closed);
    carry(upstream, upstream.in, client, client_closed);
    // A byte that a slow side took counts as well: what it is behind with may be all that there is.
    if (client.bytes_written != client_bytes || upstream.bytes_written != upstream_bytes)
      progress = client_.now();
    exchange_.request_body.received += upstream.bytes_written - upstream_bytes;
    exchange_.body_bytes_out += client.bytes_written - client_bytes;
    if (client_.cut_) break;
    if (over(client, upstream, upstream_closed) && over(upstream, client, client_closed)) break;
    const Instant deadline = std::min(progress + timeout_, client_.tunnel_end_);
    if (client_.now() >= deadline) break;
    arm(client, exchange_.body_in, upstream);
    arm(upstream, upstream.in, client);
    client_.sleep_until(deadline);
    co_await client_.wakeup_;
  }
}

}  // namespace sekisho::proxy
