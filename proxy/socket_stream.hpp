// A plain stream: TCP or a UNIX socket.
#pragma once

#include "proxy/stream.hpp"
#include "proxy/stream_operation.hpp"

namespace sekisho::proxy {

class SocketStream final : public Stream {
 public:
  using Socket = asio::generic::stream_protocol::socket;

  static Ptr create(asio::io_context& io);
  // Takes over a connected, non-blocking descriptor.
  static Ptr adopt(asio::io_context& io, int family, int descriptor);

  void start_connect(const StreamEndpoint& endpoint) override;
  void start_read(std::span<char> space) override;
  void start_wait_readable() override;
  void cancel_read() override;
  WriteOutcome try_write(std::span<const asio::const_buffer> buffers) override;
  void start_wait_writable() override;
  bool quiet() const override;
  bool hung_up() const override;
  void shutdown_send() override;
  void reset_at_close() override;
  void close() override;
  bool is_open() const override { return socket_.is_open(); }
  std::unique_ptr<DetachedStream> detach() override;

  int family() const { return family_; }
  // For who carries on with the socket; nothing may be pending. The stream is closed afterwards.
  Socket take_socket() { return std::move(socket_); }

 private:
  explicit SocketStream(asio::io_context& io) : socket_(io) {}
  void complete_read(const boost::system::error_code& error, std::size_t bytes);

  Socket socket_;
  int family_ = 0;
  OperationMemory read_memory_;
  OperationMemory write_memory_;
};

// Gathers `buffers` into one send on a non-blocking descriptor; no signal where the peer is gone.
Stream::WriteOutcome send_some(int descriptor, std::span<const asio::const_buffer> buffers);
// Whether the peer of this descriptor has hung up (Stream::hung_up).
bool peer_hung_up(int descriptor);
// Opens a non-blocking socket for `endpoint`, small writes undelayed.
boost::system::error_code open_socket(SocketStream::Socket& socket, const StreamEndpoint& endpoint);

}  // namespace sekisho::proxy
