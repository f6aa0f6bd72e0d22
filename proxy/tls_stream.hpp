// A stream over TLS, for a client of ours and for an upstream alike.
#pragma once

#include <memory>
#include <optional>

#include "proxy/openssl_handles.hpp"
#include "proxy/socket_stream.hpp"
#include "proxy/tls_transport.hpp"

namespace sekisho::proxy {

class TlsClientContext;
class TlsServerContexts;

// The peer's close_notify is the end (eof); a FIN without it is an error, since what came may have been cut
// (RFC 9112, 9.8). A try to write offers one record's worth gathered from many buffers, so that a head and
// its body go out in one; what was refused stands encrypted in OpenSSL and must be offered again, with the
// same bytes at its front and at least as many. An idle connection holds no record buffers.
class TlsStream final : public Stream, private LoopSocket {
 public:
  using Pointer = boost::intrusive_ptr<TlsStream>;

  // To an upstream: start_connect makes the connection and the handshake, so connect_result() comes after
  // both. Its error says why the server is not trusted; the context tells the log.
  static Pointer create(EventLoop& loop, std::shared_ptr<const TlsClientContext> context);
  // From a client: takes the socket of `plain` and leaves it closed. Where the loop cannot watch it the
  // handshake fails.
  static Pointer take_over(SocketStream& plain, std::shared_ptr<const TlsServerContexts> contexts);
  // The client's handshake, once, before anything else; connect_result() says how it ended. Who speaks plain
  // HTTP is told so.
  void start_handshake();

  void set_low_priority(bool low) override { EventSource::set_low_priority(low); }
  void start_connect(const StreamEndpoint& endpoint) override;
  ReadOutcome try_read(std::span<char> space) override;
  void start_wait_readable() override;
  WriteOutcome try_write(std::span<const asio::const_buffer> buffers) override;
  void start_wait_writable() override;
  // Nothing that is for us to read, that is: a session's ticket is no noise.
  bool quiet() override;
  // By the socket's FIN: a close_notify cannot be told from what stands unread before it.
  bool maybe_readable() const override { return may_read(); }
  bool hung_up() const override;
  // Says close_notify, then FIN. To be called once all that was to be sent was taken.
  void shutdown_send() override;
  void reset_at_close() override;
  // To an upstream with a close_notify where that is taken at once; to a client without: a connection that is
  // cut must look it.
  void close() override;
  bool is_open() const override { return LoopSocket::is_open(); }
  // Null, too, where something refused is to be offered again.
  std::unique_ptr<DetachedStream> detach() override;

 private:
  class Detached;

  explicit TlsStream(EventLoop& loop) : LoopSocket(loop) {}

  void on_ready() override;
  bool begin_session();
  void handshake();
  void handshake_failed();
  // What OpenSSL's last call came to: what the socket is known to have left, or to take.
  void note_call();
  bool may_read() const;

  std::span<const char> next_record(std::span<const asio::const_buffer> buffers, std::size_t from) const;
  void say_close();

  std::shared_ptr<const TlsClientContext> client_context_;    // towards an upstream
  std::shared_ptr<const TlsServerContexts> server_contexts_;  // towards a client
  SslHandle ssl_;
  TlsTransport* transport_ = nullptr;  // ssl_'s
  bool in_handshake_ = false;
  bool established_ = false;
  boost::system::error_code failure_;  // of the session itself: it carries nothing more
  bool dry_ = false;  // OpenSSL has no byte for us until more comes, though it may hold part of a record
  bool read_wants_write_ = false;
  bool write_wants_read_ = false;
  bool close_said_ = false;
  bool close_waits_ = false;  // close_notify found no room
  bool reset_ = false;
  bool told_of_end_ = false;
  std::size_t refused_ = 0;  // bytes of the write that OpenSSL has begun and the socket not taken
};

}  // namespace sekisho::proxy
