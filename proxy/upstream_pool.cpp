#include "proxy/upstream_pool.hpp"

#include <algorithm>

namespace sekisho::proxy {

std::unique_ptr<UpstreamConnection> UpstreamPool::take() {
  while (!idle_.empty()) {
    auto idle = std::move(idle_.back());
    idle_.pop_back();
    resized();
    auto connection = std::move(idle->connection);
    spare_.push_back(std::move(idle));
    connection->stream->set_listener(nullptr);
    // A FIN may be booked and its notice on the way.
    if (connection->stream->read_wait_pending() && !connection->outdated()) return connection;
  }
  return nullptr;
}

void UpstreamPool::put(std::unique_ptr<UpstreamConnection> connection, Instant now) {
  if (connection->gone() || connection->eof || !connection->in.empty() || connection->outdated()) return;
  // More than the response may stand in the socket, where the last read took only what was its own.
  if (connection->stream->maybe_readable() && !connection->stream->quiet()) return;
  if (server_->connections.waiting() > 0 && pass_on(*connection)) return;
  if (server_->connections.waiting() > 0) return;  // a bound was lowered: this one is above it
  connection->reused = true;
  connection->idle_since = now;
  connection->in.release();
  if (!connection->stream->read_wait_pending()) connection->stream->start_wait_readable();
  std::unique_ptr<Idle> idle;
  if (spare_.empty()) {
    idle = std::make_unique<Idle>(*this, std::move(connection));
  } else {
    idle = std::move(spare_.back());
    spare_.pop_back();
    idle->connection = std::move(connection);
  }
  idle->connection->stream->set_listener(idle.get());
  idle_.push_back(std::move(idle));
  resized();
}

// The permit goes along, also where the stream cannot.
bool UpstreamPool::pass_on(UpstreamConnection& connection) {
  const auto waiter = server_->connections.pass_on();
  if (waiter == nullptr) return false;
  waiter->connection = connection.stream->detach();
  connection.keeps_permit = false;
  waiter->granted();
  return true;
}

std::unique_ptr<DetachedStream> UpstreamPool::give_away() {
  auto connection = take();
  if (!connection) return nullptr;
  auto stream = connection->stream->detach();
  // The permit goes along with the stream; the connection object ends without it.
  if (stream && connection->server->connections.bounded()) connection->keeps_permit = false;
  return stream;
}

void UpstreamPool::expire(Instant now) {
  if (addresses_ != server_->addresses()) close_outdated();
  const std::size_t share = bound_ / counts_.size();
  std::size_t surplus = 0;
  if (idle_.size() > share) {
    const std::size_t total = total_idle();
    surplus = total > bound_ ? std::min(total - bound_, idle_.size() - share) : 0;
  }
  std::size_t old = 0;
  while (old < idle_.size() && (old < surplus || now - idle_[old]->connection->idle_since >= idle_timeout_))
    ++old;
  if (old == 0) return;
  idle_.erase(idle_.begin(), idle_.begin() + static_cast<std::ptrdiff_t>(old));
  resized();
}

void UpstreamPool::close_outdated() {
  addresses_ = server_->addresses();
  std::erase_if(idle_, [](const auto& idle) { return idle->connection->outdated(); });
  resized();
}

void UpstreamPool::close_all() {
  idle_.clear();
  resized();
}

std::size_t UpstreamPool::richest_peer() const {
  std::size_t best = counts_.size(), most = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const std::size_t n = i == self_ ? 0 : counts_[i].value.load(std::memory_order_relaxed);
    if (n > most) {
      most = n;
      best = i;
    }
  }
  return best;
}

void UpstreamPool::look_at(Idle& idle) {
  Stream& stream = *idle.connection->stream;
  if (stream.quiet()) {
    if (!stream.read_wait_pending()) stream.start_wait_readable();
    return;
  }
  const auto at =
      std::find_if(idle_.begin(), idle_.end(), [&](const auto& held) { return held.get() == &idle; });
  if (at == idle_.end()) return;
  idle_.erase(at);
  resized();
}

void UpstreamPool::resized() {
  counts_[self_].value.store(idle_.size(), std::memory_order_relaxed);
  const std::uint64_t before = counters_.upstream_idle.get();
  counters_.upstream_idle.add(idle_.size() - before);
}

std::size_t UpstreamPool::total_idle() const {
  std::size_t total = 0;
  for (const auto& count : counts_) total += count.value.load(std::memory_order_relaxed);
  return total;
}

}  // namespace sekisho::proxy
