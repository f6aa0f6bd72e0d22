// A non-blocking socket that an event loop watches, and what is known of it without asking.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <cstddef>
#include <cstdint>
#include <span>

#include "proxy/event_loop.hpp"

namespace sekisho::proxy {

using StreamEndpoint = asio::generic::stream_protocol::endpoint;

// Owns its descriptor. What is known errs on one side only: a socket of which readable() or writable() is
// false is told of by on_ready() before it is. One loop's.
class LoopSocket : public EventSource {
 public:
  LoopSocket(const LoopSocket&) = delete;
  LoopSocket& operator=(const LoopSocket&) = delete;

  bool is_open() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }
  int family() const { return family_; }

 protected:
  explicit LoopSocket(EventLoop& loop) : loop_(&loop) {}
  ~LoopSocket() { close_socket(); }

  // Something changed, or the turn that look_again() asked for has come.
  virtual void on_ready() = 0;
  void look_again() { loop_->defer(*this); }

  // Takes over a connected, non-blocking descriptor. Where it cannot be watched the socket stays closed.
  boost::system::error_code adopt(int family, int descriptor);
  // The same, watched once nothing more can be done without, or soon (EventLoop::watch_soon): the descriptor
  // was just accepted, and what comes first has come, as a rule. Where it cannot be watched then, it ends
  // like a connection that the peer has left.
  void adopt_unwatched(int family, int descriptor);
  // Small writes undelayed. No error: on its way, or there; connect_outcome() says which.
  boost::system::error_code connect(const StreamEndpoint& endpoint);
  // Once on_ready() has come while a connect was under way: how it ended. Not set: not yet.
  bool connecting() const { return connecting_; }
  bool connect_ended(boost::system::error_code& error);

  bool readable() const { return readable_; }
  bool writable() const { return writable_; }
  // The peer's FIN or a reset stands behind what is unread.
  bool ended() const { return ended_; }

  struct Received {
    std::size_t bytes = 0;
    bool eof = false;
    boost::system::error_code error;
  };
  // No bytes, no end and no error: there was nothing.
  Received receive(std::span<char> space);
  // For those who read by other means: the last one left nothing behind, or gave all it was asked for.
  void note_drained() { readable_ = ended_; }
  void note_unread() { readable_ = true; }

  struct Sent {
    std::size_t bytes = 0;            // taken
    boost::system::error_code error;  // not set for "would block"
  };
  // Gathers the buffers into one send; no signal where the peer is gone.
  Sent send(std::span<const asio::const_buffer> buffers);
  void note_full() { writable_ = false; }
  // The FIN goes with the last bytes from here on. By itself it would be one more segment, which the peer is
  // woken for and acknowledges.
  void hold_for_end() { end_follows_ = true; }

  // Whether nothing at all has come that was not read. One system call.
  bool nothing_came();
  void shutdown_socket() const;
  void linger_none() const;
  void close_socket();
  // The descriptor is the caller's from here on; the socket is closed.
  int release();
  EventLoop& loop() const { return *loop_; }

 private:
  void on_events(std::uint32_t events) final;
  void on_turn() final { on_ready(); }
  void on_watch_due() final;
  void blocked();

  // In this order, and as bits, because there is one of it for each idle connection.
  int descriptor_ = -1;
  EventLoop* loop_;
  std::uint16_t family_ = 0;
  bool watched_ : 1 = false;
  bool readable_ : 1 = false;
  bool writable_ : 1 = true;
  bool ended_ : 1 = false;
  bool connecting_ : 1 = false;
  bool end_follows_ : 1 = false;
};

}  // namespace sekisho::proxy
