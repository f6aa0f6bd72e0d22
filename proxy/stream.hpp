// One byte stream over TCP, a UNIX socket and (later) TLS, for clients and upstreams alike.
#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/intrusive_ptr.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

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

// Reads and connects are started and complete later; writes are tried at once and only waited for when the
// socket is full. At most one read (or wait for readability) and one wait for writability (or connect) are
// pending. Every completion calls the listener once; the outcome is then asked for. Counted by intrusive_ptr;
// a pending operation holds a reference, so a closed stream may be dropped at any time. All on one worker's
// thread.
class Stream {
 public:
  using Socket = asio::generic::stream_protocol::socket;
  using Ptr = boost::intrusive_ptr<Stream>;

  static Ptr create(asio::io_context& io);
  // Takes over a connected, non-blocking descriptor.
  static Ptr adopt(asio::io_context& io, int family, int descriptor);

  void set_listener(StreamListener* listener) { listener_ = listener; }

  // Connect: started, then connect_result() holds a value.
  void start_connect(const StreamEndpoint& endpoint);
  std::optional<boost::system::error_code> connect_result() const { return connect_result_; }

  // `space` must stay put until the read is over or the stream closed.
  void start_read(std::span<char> space);
  // Waits for readability without a buffer (an idle connection's cheap wait).
  void start_wait_readable();
  bool read_pending() const { return read_pending_; }
  // Ends a pending read or wait early; it still completes (perhaps with data that came first).
  void cancel_read();

  struct ReadOutcome {
    std::size_t bytes = 0;
    bool eof = false;
    boost::system::error_code error;  // set but for eof and cancellation
    bool cancelled = false;
  };
  // The outcome of the last completed read, once.
  std::optional<ReadOutcome> take_read();

  struct WriteOutcome {
    std::size_t bytes = 0;            // taken by the kernel
    boost::system::error_code error;  // not set for "would block"
  };
  // Gathers the buffers into one send; takes what the kernel takes now.
  WriteOutcome try_write(std::span<const asio::const_buffer> buffers);
  void start_wait_writable();
  bool write_wait_pending() const { return write_pending_; }

  // Whether nothing has come from the peer that was not read: no FIN, no reset, no byte. One system call.
  bool quiet() const;

  void shutdown_send();
  // The next close is a reset, so that what was sent cannot pass for complete.
  void reset_at_close();
  void close();
  bool is_open() const { return socket_.is_open(); }
  // Hands the descriptor out (for another worker's io_context); the stream is closed afterwards. -1 on
  // failure.
  int release();
  Socket& socket() { return socket_; }

 private:
  explicit Stream(asio::io_context& io) : socket_(io) {}
  ~Stream() = default;
  friend void intrusive_ptr_add_ref(Stream* stream) noexcept { ++stream->references_; }
  friend void intrusive_ptr_release(Stream* stream) noexcept {
    if (--stream->references_ == 0) delete stream;
  }

  // Memory for one pending Asio operation; there is one of each kind at a time.
  struct OperationMemory {
    alignas(16) std::array<std::byte, 256> bytes;
    bool in_use = false;
  };
  template <class T>
  struct OperationAllocator;
  template <class Function>
  struct Handler;

  void complete_read(const boost::system::error_code& error, std::size_t bytes);
  void complete_write_wait(const boost::system::error_code& error);
  void complete_connect(const boost::system::error_code& error);
  void notify() {
    if (listener_ != nullptr) listener_->on_stream();
  }

  Socket socket_;
  StreamListener* listener_ = nullptr;
  std::uint32_t references_ = 0;
  bool read_pending_ = false;
  bool write_pending_ = false;
  std::optional<ReadOutcome> read_outcome_;
  std::optional<boost::system::error_code> connect_result_;
  OperationMemory read_memory_;
  OperationMemory write_memory_;
};

}  // namespace sekisho::proxy
