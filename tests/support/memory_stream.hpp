// A stream over two pipes in memory, with the peer's end of it: behaves as a socket does, short writes,
// half-close and resets included, and fails where a FaultPlan says so.
#pragma once

#include <algorithm>
#include <boost/asio/error.hpp>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/event_loop.hpp"
#include "proxy/stream.hpp"
#include "tests/support/fault_plan.hpp"

namespace sekisho::test {

class MemoryStream;

// What both ends share. Bytes of a pipe are in the receiving kernel's hands: a reset in place of a read or a
// write takes them along.
struct MemoryConnection {
  MemoryConnection(FaultPlan& the_plan, Operation read, Operation write, std::size_t the_capacity)
      : plan(the_plan), reads(read), writes(write), capacity(the_capacity) {}

  // The whole connection is gone, for both ends at once.
  void die() {
    dead = true;
    to_stream.clear();
    to_peer.clear();
  }

  FaultPlan& plan;
  const Operation reads, writes;  // as which kind the stream's operations count
  const std::size_t capacity;     // of each pipe
  std::string to_stream, to_peer;
  bool dead = false;
  bool peer_fin = false, stream_fin = false;
  bool peer_closed = false;  // takes nothing any more
  bool stream_closed = false;
  bool stream_reset = false;  // the peer sees a reset behind the last byte
  bool write_broken = false;
  bool read_stalled = false, write_stalled = false;
  std::size_t delivered = 0;                                // bytes that the stream's user was told of
  std::size_t taken = 0;                                    // bytes that the stream's user got rid of
  std::function<void(std::size_t)> on_taken, on_delivered;  // may be empty
  MemoryStream* stream = nullptr;                           // while it lives
};

using MemoryConnectionPtr = std::shared_ptr<MemoryConnection>;

// The end that the code under test holds. Every completion is posted to the loop.
class MemoryStream final : public proxy::Stream {
 public:
  // What a connect came to: a connection, an error, or (neither) no answer ever.
  struct Connect {
    MemoryConnectionPtr connection;
    boost::system::error_code error;
  };
  using Connector = std::function<Connect(const proxy::StreamEndpoint&)>;

  // `alive` counts those that there are: a leak shows there.
  static Ptr connected(proxy::EventLoop& loop, MemoryConnectionPtr connection, std::size_t& alive) {
    boost::intrusive_ptr<MemoryStream> stream(new MemoryStream(loop, {}, alive));
    stream->take_up(std::move(connection));
    return stream;
  }
  static Ptr unconnected(proxy::EventLoop& loop, Connector connector, std::size_t& alive) {
    return Ptr(new MemoryStream(loop, std::move(connector), alive));
  }

  void set_low_priority(bool) override {}
  void start_connect(const proxy::StreamEndpoint& endpoint) override {
    connect_begins();
    connecting_ = open_ = true;
    Connect made = connector_(endpoint);
    if (!made.connection && !made.error) return;
    if (made.connection) take_up(std::move(made.connection));
    post([error = made.error](MemoryStream& self) { self.finish_connect(error); });
  }

  ReadOutcome try_read(std::span<char> space) override {
    ReadOutcome outcome;
    if (!open_ || !connection_) {
      outcome.error = boost::asio::error::not_connected;
      return outcome;
    }
    MemoryConnection& c = *connection_;
    if (!has_input()) return outcome;
    std::size_t most = space.size();
    switch (c.plan.next(c.reads)) {
      case Failure::reset:
        c.die();
        break;
      case Failure::eof:
        c.to_stream.clear();
        c.peer_fin = true;
        break;
      case Failure::one_byte:
        most = 1;
        break;
      case Failure::would_block:
        return outcome;
      case Failure::stall:
        c.read_stalled = true;
        return outcome;
      default:
        break;
    }
    outcome.bytes = std::min(most, c.to_stream.size());
    std::memcpy(space.data(), c.to_stream.data(), outcome.bytes);
    c.to_stream.erase(0, outcome.bytes);
    if (c.dead) {
      outcome.error = boost::asio::error::connection_reset;
    } else if (outcome.bytes == 0) {
      outcome.eof = true;
    }
    if (outcome.bytes > 0) {
      c.delivered += outcome.bytes;
      if (c.on_delivered) c.on_delivered(outcome.bytes);
    }
    look_for_room();
    return outcome;
  }
  void start_wait_readable() override {
    read_wait_begins();
    look_for_input();
  }

  WriteOutcome try_write(std::span<const boost::asio::const_buffer> buffers) override {
    WriteOutcome outcome;
    if (!open_ || !connection_ || connection_->stream_fin) {
      outcome.error = boost::asio::error::broken_pipe;
      return outcome;
    }
    MemoryConnection& c = *connection_;
    std::size_t room = c.capacity - std::min(c.capacity, c.to_peer.size());
    switch (c.plan.next(c.writes)) {
      case Failure::reset:
        c.die();
        look_for_input();
        break;
      case Failure::broken_pipe:
        c.write_broken = c.peer_fin = true;
        look_for_input();
        break;
      case Failure::one_byte:
        room = std::min<std::size_t>(room, 1);
        break;
      case Failure::would_block:
        room = 0;
        break;
      case Failure::stall:
        c.write_stalled = true;
        break;
      default:
        break;
    }
    if (c.dead) outcome.error = boost::asio::error::connection_reset;
    if (c.write_broken) outcome.error = boost::asio::error::broken_pipe;
    if (outcome.error || c.write_stalled) return outcome;
    for (const auto& buffer : buffers) {
      const std::size_t n = std::min(room, buffer.size());
      if (!c.peer_closed) c.to_peer.append(static_cast<const char*>(buffer.data()), n);
      outcome.bytes += n;
      room -= n;
    }
    c.taken += outcome.bytes;
    if (outcome.bytes > 0 && c.on_taken) c.on_taken(outcome.bytes);
    if (outcome.bytes > 0 && c.peer_closed) {  // answered by a reset
      c.die();
      look_for_input();
    }
    return outcome;
  }
  void start_wait_writable() override {
    write_wait_begins();
    look_for_room();
  }

  bool maybe_readable() const override { return connection_ && has_input(); }
  bool quiet() override {
    return connection_ && !connection_->dead && !connection_->peer_fin && connection_->to_stream.empty();
  }
  bool hung_up() const override { return !connection_ || connection_->dead || connection_->peer_fin; }
  void shutdown_send() override {
    if (connection_) connection_->stream_fin = true;
  }
  void reset_at_close() override { resets_ = true; }
  void close() override {
    if (!open_) return;
    open_ = connecting_ = false;
    leave();
    wait_for_nothing();
  }
  bool is_open() const override { return open_; }
  std::unique_ptr<proxy::DetachedStream> detach() override {
    if (!open_ || !connection_) return nullptr;
    auto connection = std::move(connection_);
    connection->stream = nullptr;
    open_ = false;
    wait_for_nothing();
    return std::make_unique<Detached>(std::move(connection), alive_);
  }

  // The peer's end calls these when it has put something in, or taken something out.
  void look_for_input() {
    if (!open_ || !connection_) return;
    const bool ended = connection_->peer_fin || connection_->dead;
    if ((read_wait_pending() && has_input()) || (ended && !told_of_end_)) look_later();
  }
  void look_for_room() {
    if (write_wait_pending() && has_room()) look_later();
  }

 private:
  class Detached final : public proxy::DetachedStream {
   public:
    Detached(MemoryConnectionPtr connection, std::size_t& alive)
        : connection_(std::move(connection)), alive_(alive) {}
    ~Detached() override {
      if (connection_) end(*connection_, false);
    }
    Ptr attach(proxy::EventLoop& loop) override { return connected(loop, std::move(connection_), alive_); }

   private:
    MemoryConnectionPtr connection_;
    std::size_t& alive_;
  };

  MemoryStream(proxy::EventLoop& loop, Connector connector, std::size_t& alive)
      : loop_(loop), connector_(std::move(connector)), alive_(alive) {
    ++alive_;
  }
  ~MemoryStream() override {
    if (open_) leave();
    if (connection_) connection_->stream = nullptr;
    --alive_;
  }

  void take_up(MemoryConnectionPtr connection) {
    connection_ = std::move(connection);
    connection_->stream = this;
    open_ = true;
  }
  // What a close tells the peer. With bytes unread it is a reset, which takes along what the peer has not
  // read.
  void leave() {
    if (connection_) end(*connection_, resets_);
  }
  // What closing does: a reset where something came that was not read.
  static void end(MemoryConnection& c, bool resets) {
    c.stream_closed = c.stream_fin = true;
    if (resets || !c.to_stream.empty()) c.stream_reset = true;
    if (!c.to_stream.empty()) c.to_peer.clear();
  }
  bool has_input() const {
    const MemoryConnection& c = *connection_;
    return !c.read_stalled && (!c.to_stream.empty() || c.peer_fin || c.dead);
  }
  bool has_room() const {
    if (!open_ || !connection_) return false;
    const MemoryConnection& c = *connection_;
    return c.dead || c.write_broken || c.peer_closed || (!c.write_stalled && c.to_peer.size() < c.capacity);
  }
  // As the loop would tell of a socket.
  void look_later() {
    if (std::exchange(looking_, true)) return;
    post([](MemoryStream& self) {
      self.looking_ = false;
      if (!self.open_ || !self.connection_) return;
      const bool ended = self.connection_->peer_fin || self.connection_->dead;
      const bool changed = ended && !std::exchange(self.told_of_end_, ended);
      self.waits_are_over(self.has_input(), self.has_room(), changed);
    });
  }
  void finish_connect(const boost::system::error_code& error) {
    if (!connecting_) return;
    connecting_ = false;
    connect_is_over(error);
  }
  template <class Function>
  void post(Function function) {
    loop_.post([self = boost::intrusive_ptr<MemoryStream>(this), function] { function(*self); });
  }

  proxy::EventLoop& loop_;
  Connector connector_;
  std::size_t& alive_;
  MemoryConnectionPtr connection_;
  bool open_ = false;
  bool connecting_ = false;
  bool resets_ = false;
  bool looking_ = false;
  bool told_of_end_ = false;
};

// The other end, moved along by the test between turns of the loop.
class MemoryPeer {
 public:
  explicit MemoryPeer(MemoryConnectionPtr connection) : connection_(std::move(connection)) {}

  // Puts in what there is room for; returns how much that was.
  std::size_t send(std::string_view bytes) {
    MemoryConnection& c = *connection_;
    if (c.stream_closed) {
      c.stream_reset = true;
      return bytes.size();
    }
    if (c.dead || c.peer_fin) return bytes.size();
    const std::size_t n = std::min(bytes.size(), c.capacity - std::min(c.capacity, c.to_stream.size()));
    c.to_stream.append(bytes.substr(0, n));
    if (n > 0 && c.stream != nullptr) c.stream->look_for_input();
    return n;
  }
  // Takes out up to `most` bytes.
  std::size_t receive(std::string& into, std::size_t most) {
    MemoryConnection& c = *connection_;
    const std::size_t n = std::min(most, c.to_peer.size());
    into.append(c.to_peer, 0, n);
    c.to_peer.erase(0, n);
    if (n > 0 && c.stream != nullptr) c.stream->look_for_room();
    return n;
  }
  // Half-close.
  void finish() {
    if (std::exchange(connection_->peer_fin, true)) return;
    if (connection_->stream != nullptr) connection_->stream->look_for_input();
  }
  void close() {
    connection_->peer_closed = true;
    finish();
  }
  bool was_reset() const {
    return connection_->dead || (connection_->stream_reset && connection_->to_peer.empty());
  }
  // Behind its last byte: a FIN, or a reset.
  bool ended() const { return was_reset() || (connection_->stream_fin && connection_->to_peer.empty()); }
  bool finished() const { return connection_->peer_fin; }
  const MemoryConnection& connection() const { return *connection_; }

 private:
  MemoryConnectionPtr connection_;
};

}  // namespace sekisho::test
