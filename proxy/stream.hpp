// One byte stream over whatever carries it (TCP, a UNIX socket, TLS), for clients and upstreams alike.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/intrusive_ptr.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

namespace sekisho::proxy {

namespace asio = boost::asio;
using StreamEndpoint = asio::generic::stream_protocol::endpoint;

// Told when a read, a wait or a connect that was started is over. Must not destroy the stream in the call;
// dropping a reference is fine.
class StreamListener {
 public:
  virtual void on_stream() = 0;

 protected:
  ~StreamListener() = default;
};

// A stream between two workers: what makes it up but for the event loop. Closes what it holds where nobody
// attaches it.
class DetachedStream;

// Reads and connects are started and complete later; writes are tried at once and only waited for when the
// socket is full. At most one read (or wait for readability) and one wait for writability (or connect) are
// pending. Every completion calls the listener once; the outcome is then asked for. Counted by intrusive_ptr;
// a pending operation holds a reference, so a closed stream may be dropped at any time. All on one worker's
// thread.
class Stream {
 public:
  using Ptr = boost::intrusive_ptr<Stream>;

  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void set_listener(StreamListener* listener) { listener_ = listener; }

  // Connect: started, then connect_result() holds a value (at once, where it cannot even be tried).
  virtual void start_connect(const StreamEndpoint& endpoint) = 0;
  std::optional<boost::system::error_code> connect_result() const { return connect_result_; }

  // `space` must stay put until the read is over or the stream closed.
  virtual void start_read(std::span<char> space) = 0;
  // Waits for readability without a buffer (an idle connection's cheap wait).
  virtual void start_wait_readable() = 0;
  bool read_pending() const { return read_pending_; }
  // Ends a pending read or wait early; it still completes (perhaps with data that came first).
  virtual void cancel_read() = 0;

  struct ReadOutcome {
    std::size_t bytes = 0;
    bool eof = false;
    boost::system::error_code error;  // set but for eof and cancellation
    bool cancelled = false;
  };
  // The outcome of the last completed read, once.
  std::optional<ReadOutcome> take_read() { return std::exchange(read_outcome_, std::nullopt); }

  struct WriteOutcome {
    std::size_t bytes = 0;            // taken
    boost::system::error_code error;  // not set for "would block"
  };
  // Gathers the buffers into one send; takes what can be taken now. What was not taken is offered again, in
  // the same order and with nothing before it.
  virtual WriteOutcome try_write(std::span<const asio::const_buffer> buffers) = 0;
  virtual void start_wait_writable() = 0;
  bool write_wait_pending() const { return write_pending_; }

  // Whether nothing has come from the peer that was not read: no FIN, no reset, no byte. One system call.
  virtual bool quiet() const = 0;
  // Whether the peer has sent its FIN or a reset, though what it sent before is unread yet. A FIN that found
  // no room behind that is not here. One system call.
  virtual bool hung_up() const = 0;

  virtual void shutdown_send() = 0;
  // The next close is a reset, so that what was sent cannot pass for complete.
  virtual void reset_at_close() = 0;
  virtual void close() = 0;
  virtual bool is_open() const = 0;
  // Hands out what makes the stream up, for another worker's event loop; the stream is closed afterwards.
  // Null on failure.
  virtual std::unique_ptr<DetachedStream> detach() = 0;

 protected:
  Stream() = default;
  virtual ~Stream() = default;

  // For those who carry it out: an operation begins, and is over.
  void read_begins() { read_pending_ = true; }
  void write_wait_begins() { write_pending_ = true; }
  void connect_begins() {
    connect_result_.reset();
    write_pending_ = true;
  }
  void read_is_over(ReadOutcome outcome) {
    read_pending_ = false;
    read_outcome_ = outcome;
    notify();
  }
  void write_wait_is_over() {
    write_pending_ = false;
    notify();
  }
  void connect_is_over(const boost::system::error_code& error) {
    write_pending_ = false;
    connect_result_ = error;
    notify();
  }
  // Where it cannot even be tried: the caller asks for the result at once.
  void connect_cannot_begin(const boost::system::error_code& error) { connect_result_ = error; }

 private:
  void notify() {
    if (listener_ != nullptr) listener_->on_stream();
  }
  friend void intrusive_ptr_add_ref(Stream* stream) noexcept { ++stream->references_; }
  friend void intrusive_ptr_release(Stream* stream) noexcept {
    if (--stream->references_ == 0) delete stream;
  }

  StreamListener* listener_ = nullptr;
  std::uint32_t references_ = 0;
  bool read_pending_ = false;
  bool write_pending_ = false;
  std::optional<ReadOutcome> read_outcome_;
  std::optional<boost::system::error_code> connect_result_;
};

class DetachedStream {
 public:
  virtual ~DetachedStream() = default;
  virtual Stream::Ptr attach(asio::io_context& io) = 0;
};

}  // namespace sekisho::proxy
