// One byte stream over whatever carries it (TCP, a UNIX socket, TLS), for clients and upstreams alike.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
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
class EventLoop;
class SplicePipe;

// Told when a wait or a connect that was started is over, and when the peer has hung up. Must not destroy the
// stream in the call; dropping a reference is fine.
class StreamListener {
 public:
  virtual void on_stream() = 0;

 protected:
  ~StreamListener() = default;
};

// A stream between two workers: what makes it up but for the event loop. Closes what it holds where nobody
// attaches it.
class DetachedStream;

// Reads and writes are tried at once, and only waited for where the peer has sent nothing, or takes nothing:
// who waits needs no buffer. A wait that is over calls the listener once, in a later turn of the loop; it may
// turn out to be for nothing. Connects are started and complete likewise. Counted by intrusive_ptr; a closed
// stream waits for nothing. All on one worker's thread.
class Stream {
 public:
  using Ptr = boost::intrusive_ptr<Stream>;

  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void set_listener(StreamListener* listener) { listener_ = listener; }
  // What it waits for is told behind the news of all others (EventSource).
  virtual void set_low_priority(bool low) = 0;

  // Connect: started, then connect_result() holds a value (at once, where it cannot even be tried).
  virtual void start_connect(const StreamEndpoint& endpoint) = 0;
  std::optional<boost::system::error_code> connect_result() const { return connect_result_; }

  struct ReadOutcome {
    std::size_t bytes = 0;
    bool eof = false;
    boost::system::error_code error;  // not set for eof, nor for "would block"
    bool nothing() const { return bytes == 0 && !eof && !error; }
  };
  // What has come, as far as there is `space`, which is not empty.
  virtual ReadOutcome try_read(std::span<char> space) = 0;
  // Waits for bytes, the end or an error.
  virtual void start_wait_readable() = 0;
  bool read_wait_pending() const { return read_pending_; }

  struct WriteOutcome {
    std::size_t bytes = 0;            // taken
    boost::system::error_code error;  // not set for "would block"
  };
  // Gathers the buffers into one send; takes what can be taken now. What was not taken is offered again, in
  // the same order and with nothing before it.
  virtual WriteOutcome try_write(std::span<const asio::const_buffer> buffers) = 0;
  virtual void start_wait_writable() = 0;
  bool write_wait_pending() const { return write_pending_; }

  // Whether its bytes can go through a pipe, uncopied: those of plain sockets.
  virtual bool can_splice() const { return false; }
  // As try_read and try_write, by way of a pipe; only where that can be. Nothing was read also where the pipe
  // is full. asio::error::operation_not_supported: the system does not do it, and nothing was moved.
  virtual ReadOutcome try_read_into(SplicePipe&, std::size_t) { return {}; }
  virtual WriteOutcome try_write_from(SplicePipe&) { return {}; }

  // Whether something may be there to be read, as far as is known without asking.
  virtual bool maybe_readable() const = 0;
  // Whether nothing has come from the peer that was not read: no FIN, no reset, no byte. One system call.
  virtual bool quiet() = 0;
  // Whether the peer has sent its FIN or a reset, though what it sent before is unread yet. A FIN that found
  // no room behind that is not here.
  virtual bool hung_up() const = 0;

  // What is written from here on is the last, and shutdown_send or close comes as soon as it is taken: both
  // may go out as one segment.
  virtual void end_follows() {}
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

  // For those who carry it out: a wait or a connect begins, and is over.
  void read_wait_begins() { read_pending_ = true; }
  void write_wait_begins() { write_pending_ = true; }
  void connect_begins() { connect_result_.reset(); }
  // Where it cannot even be tried: the caller asks for the result at once.
  void connect_cannot_begin(const boost::system::error_code& error) { connect_result_ = error; }
  void connect_is_over(const boost::system::error_code& error) {
    connect_result_ = error;
    notify();
  }
  // Ends the waits that `readable` and `writable` are the end of; one call to the listener for both, and for
  // `changed`.
  void waits_are_over(bool readable, bool writable, bool changed = false) {
    const bool ended = (read_pending_ && readable) || (write_pending_ && writable);
    if (readable) read_pending_ = false;
    if (writable) write_pending_ = false;
    if (ended || changed) notify();
  }
  void wait_for_nothing() { read_pending_ = write_pending_ = false; }

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
  std::optional<boost::system::error_code> connect_result_;
};

class DetachedStream {
 public:
  virtual ~DetachedStream() = default;
  // Null where the loop cannot watch it.
  virtual Stream::Ptr attach(EventLoop& loop) = 0;
};

}  // namespace sekisho::proxy
