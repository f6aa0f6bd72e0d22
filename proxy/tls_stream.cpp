#include "proxy/tls_stream.hpp"

#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <cstring>
#include <limits>
#include <string_view>

#include "proxy/tls_client_context.hpp"
#include "proxy/tls_error.hpp"
#include "proxy/tls_server_contexts.hpp"

namespace sekisho::proxy {
namespace {

constexpr std::size_t record_size = SSL3_RT_MAX_PLAIN_LENGTH;
constexpr unsigned records_a_try = 16;
constexpr std::string_view speaks_plain_http =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 39\r\n"
    "Connection: close\r\n\r\nThis port takes HTTPS, not plain HTTP.\n";

int int_size(std::size_t size) {
  return static_cast<int>(std::min<std::size_t>(size, std::numeric_limits<int>::max()));
}

std::size_t total_size(std::span<const asio::const_buffer> buffers) {
  std::size_t total = 0;
  for (const auto& buffer : buffers) total += buffer.size();
  return total;
}

}  // namespace

class TlsStream::Detached final : public DetachedStream {
 public:
  explicit Detached(TlsStream& from)
      : family_(from.family()),
        client_context_(std::move(from.client_context_)),
        server_contexts_(std::move(from.server_contexts_)),
        ssl_(std::move(from.ssl_)),
        descriptor_(from.transport_->descriptor) {}
  ~Detached() override {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Ptr attach(EventLoop& loop) override {
    Pointer stream(new TlsStream(loop));
    if (stream->adopt(family_, std::exchange(descriptor_, -1))) return nullptr;
    stream->client_context_ = std::move(client_context_);
    stream->server_contexts_ = std::move(server_contexts_);
    stream->ssl_ = std::move(ssl_);
    stream->transport_ = &tls_transport(SSL_get_rbio(stream->ssl_.get()));
    stream->established_ = true;
    return stream;
  }

 private:
  int family_;
  std::shared_ptr<const TlsClientContext> client_context_;
  std::shared_ptr<const TlsServerContexts> server_contexts_;
  SslHandle ssl_;
  int descriptor_;
};

TlsStream::Pointer TlsStream::create(EventLoop& loop, std::shared_ptr<const TlsClientContext> context) {
  Pointer stream(new TlsStream(loop));
  stream->client_context_ = std::move(context);
  return stream;
}

TlsStream::Pointer TlsStream::take_over(SocketStream& plain,
                                        std::shared_ptr<const TlsServerContexts> contexts) {
  const SocketStream::Carried carried = plain.carry_on();
  Pointer stream(new TlsStream(carried.loop));
  stream->server_contexts_ = std::move(contexts);
  stream->adopt(carried.family, carried.descriptor);
  return stream;
}

// False where memory fails.
bool TlsStream::begin_session() {
  ssl_ = client_context_ ? client_context_->new_session() : server_contexts_->new_session();
  BIO* bio = ssl_ ? make_tls_bio(descriptor()) : nullptr;
  if (bio == nullptr) return false;
  transport_ = &tls_transport(bio);
  SSL_set_bio(ssl_.get(), bio, bio);
  return true;
}

void TlsStream::start_connect(const StreamEndpoint& endpoint) {
  connect_begins();
  if (const auto error = connect(endpoint)) {
    connect_cannot_begin(error);
  } else if (writable()) {
    look_again();
  }
}

void TlsStream::start_handshake() {
  connect_begins();
  if (!is_open() || !begin_session()) {
    connect_cannot_begin(asio::error::no_memory);
    return;
  }
  in_handshake_ = true;
}

void TlsStream::on_ready() {
  const Pointer self(this);  // whoever is told may drop the last reference
  if (connecting()) {
    boost::system::error_code error;
    if (!connect_ended(error)) return;
    if (error || !begin_session()) {
      connect_is_over(error ? error : asio::error::no_memory);
      return;
    }
    in_handshake_ = true;
  }
  if (in_handshake_) {
    handshake();
    return;
  }
  if (close_waits_ && writable()) say_close();
  const bool ended_now = ended() && !told_of_end_;
  told_of_end_ = ended();
  waits_are_over(may_read(), write_wants_read_ ? readable() : writable(), ended_now);
}

void TlsStream::note_call() {
  if (transport_->full) note_full();
  if (!transport_->received()) return;
  if (transport_->drained) {
    note_drained();
  } else {
    note_unread();
  }
}

void TlsStream::handshake() {
  ERR_clear_error();
  transport_->begin_call();
  const int result = SSL_do_handshake(ssl_.get());
  const int error = SSL_get_error(ssl_.get(), result);
  note_call();
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
    // One call takes a bounded number of receives: more may be there.
    if (error == SSL_ERROR_WANT_READ && readable()) look_again();
    return;
  }
  in_handshake_ = false;
  if (error != SSL_ERROR_NONE) {
    handshake_failed();
    return;
  }
  established_ = true;
  connect_is_over({});
}

void TlsStream::handshake_failed() {
  failure_ = take_tls_error(ssl_.get(), transport_->error);
  if (client_context_) client_context_->say_failure(failure_.message());
  if (is_plain_http(failure_)) {
    ::send(transport_->descriptor, speaks_plain_http.data(), speaks_plain_http.size(),
           MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  connect_is_over(failure_);
}

// Not so where only the socket can bring news.
bool TlsStream::may_read() const {
  if (!established_ || failure_ || (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0) return true;
  return (!dry_ && SSL_has_pending(ssl_.get()) != 0) || (read_wants_write_ ? writable() : readable());
}

void TlsStream::start_wait_readable() {
  read_wait_begins();
  if (may_read()) look_again();
}

// What failed after some bytes is found again by the next try.
Stream::ReadOutcome TlsStream::try_read(std::span<char> space) {
  ReadOutcome outcome;
  outcome.error = failure_;
  if (!established_ || !is_open()) outcome.error = asio::error::not_connected;
  if (outcome.error) return outcome;
  SSL* ssl = ssl_.get();
  int result;
  do {
    ERR_clear_error();
    transport_->begin_call();
    result = SSL_read(ssl, space.data() + outcome.bytes, int_size(space.size() - outcome.bytes));
    note_call();
    if (result > 0) outcome.bytes += static_cast<std::size_t>(result);
  } while (result > 0 && outcome.bytes < space.size() && SSL_has_pending(ssl) != 0);
  const int error = result > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl, result);
  read_wants_write_ = error == SSL_ERROR_WANT_WRITE;
  dry_ = error == SSL_ERROR_WANT_READ && transport_->receives_left > 0;
  if (error == SSL_ERROR_ZERO_RETURN) {
    outcome.eof = outcome.bytes == 0;
  } else if (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
    failure_ = take_tls_error(ssl, transport_->error);
    if (outcome.bytes == 0) outcome.error = failure_;
  }
  return outcome;
}

bool TlsStream::hung_up() const {
  return !is_open() || ended();
}

bool TlsStream::quiet() {
  if (failure_ || !established_) return false;
  ERR_clear_error();
  transport_->begin_call();
  char byte;
  const int result = SSL_peek(ssl_.get(), &byte, 1);
  const int error = SSL_get_error(ssl_.get(), result);
  ERR_clear_error();
  note_call();
  dry_ = error == SSL_ERROR_WANT_READ && transport_->receives_left > 0;
  if (dry_) return true;
  // What came is with OpenSSL now, and the socket may never become readable again.
  if (read_wait_pending()) look_again();
  return false;
}

// One record's worth of `buffers`, beginning at the byte `from`: in place, or gathered from several. Valid
// until the next call on this thread.
std::span<const char> TlsStream::next_record(std::span<const asio::const_buffer> buffers,
                                             std::size_t from) const {
  thread_local std::array<char, record_size> gathered;
  std::size_t size = 0;
  for (const asio::const_buffer& buffer : buffers) {
    if (from >= buffer.size()) {
      from -= buffer.size();
      continue;
    }
    const char* data = static_cast<const char*>(buffer.data()) + from;
    const std::size_t left = buffer.size() - from;
    const bool last = &buffer == &buffers.back();
    if (size == 0 && (left >= record_size || last)) return {data, std::min(left, record_size)};
    const std::size_t taken = std::min(left, record_size - size);
    std::memcpy(gathered.data() + size, data, taken);
    size += taken;
    if (size == record_size) break;
    from = 0;
  }
  return {gathered.data(), size};
}

Stream::WriteOutcome TlsStream::try_write(std::span<const asio::const_buffer> buffers) {
  WriteOutcome outcome;
  if (!established_ || failure_ || close_said_) {
    outcome.error = asio::error::broken_pipe;
    return outcome;
  }
  const std::size_t offered = total_size(buffers);
  if (offered < refused_) {
    outcome.error = asio::error::invalid_argument;
    return outcome;
  }
  write_wants_read_ = false;
  for (unsigned records = 0; records < records_a_try && outcome.bytes < offered; ++records) {
    const std::span<const char> record = next_record(buffers, outcome.bytes);
    ERR_clear_error();
    transport_->begin_call();
    const int result = SSL_write(ssl_.get(), record.data(), int_size(record.size()));
    if (result > 0) {
      outcome.bytes += static_cast<std::size_t>(result);
      refused_ = 0;
      continue;
    }
    const int error = SSL_get_error(ssl_.get(), result);
    note_call();
    if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ) {
      refused_ = record.size();
      write_wants_read_ = error == SSL_ERROR_WANT_READ;
      return outcome;
    }
    // A socket that takes no more may hold what the peer said before: only a broken session ends reading too.
    const bool session_broke = error == SSL_ERROR_SSL;
    const auto problem = take_tls_error(ssl_.get(), transport_->error);
    if (session_broke) failure_ = problem;
    // Found again by the next try, where some bytes went out first.
    if (outcome.bytes == 0) outcome.error = problem;
    return outcome;
  }
  return outcome;
}

void TlsStream::start_wait_writable() {
  write_wait_begins();
  if (write_wants_read_ ? readable() : writable()) look_again();
}

void TlsStream::shutdown_send() {
  if (established_ && !failure_ && refused_ == 0) {
    say_close();
  } else {
    shutdown_socket();
  }
}

void TlsStream::say_close() {
  close_said_ = true;
  close_waits_ = false;
  if (!is_open()) return;
  ERR_clear_error();
  transport_->begin_call();
  const int result = SSL_shutdown(ssl_.get());
  if (result < 0 && SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_WRITE) {
    close_waits_ = true;
    note_full();
    return;
  }
  ERR_clear_error();
  shutdown_socket();
}

void TlsStream::reset_at_close() {
  reset_ = true;
  linger_none();
}

void TlsStream::close() {
  const bool in_handshake = transport_ != nullptr && !established_ && !failure_;
  if (client_context_ != nullptr && in_handshake && is_open()) {
    client_context_->say_failure("tls: given up before the handshake was over");
  }
  const bool kindly = client_context_ != nullptr && established_ && !failure_ && !close_said_ && !reset_;
  if (kindly && refused_ == 0 && is_open()) {
    ERR_clear_error();
    transport_->begin_call();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }
  wait_for_nothing();
  close_socket();
  in_handshake_ = false;
  // The number may be another connection's from here on.
  if (transport_ != nullptr) transport_->descriptor = -1;
}

std::unique_ptr<DetachedStream> TlsStream::detach() {
  if (!is_open() || !established_ || failure_ || refused_ > 0 || close_said_) return nullptr;
  wait_for_nothing();
  release();
  auto detached = std::make_unique<Detached>(*this);
  established_ = false;
  transport_ = nullptr;
  return detached;
}

}  // namespace sekisho::proxy
