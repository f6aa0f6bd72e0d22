#include "proxy/tls_stream.hpp"

#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
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

Stream::ReadOutcome cancelled_outcome() {
  Stream::ReadOutcome outcome;
  outcome.cancelled = true;
  return outcome;
}

}  // namespace

class TlsStream::Detached final : public DetachedStream {
 public:
  explicit Detached(TlsStream& from)
      : family_(from.family_),
        client_context_(std::move(from.client_context_)),
        server_contexts_(std::move(from.server_contexts_)),
        ssl_(std::move(from.ssl_)),
        descriptor_(from.transport_->descriptor) {}
  ~Detached() override {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Ptr attach(asio::io_context& io) override {
    Pointer stream(new TlsStream(Socket(io)));
    stream->socket_.assign(asio::generic::stream_protocol(family_, 0), std::exchange(descriptor_, -1));
    stream->family_ = family_;
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

TlsStream::Pointer TlsStream::create(asio::io_context& io, std::shared_ptr<const TlsClientContext> context) {
  Pointer stream(new TlsStream(Socket(io)));
  stream->client_context_ = std::move(context);
  return stream;
}

TlsStream::Pointer TlsStream::take_over(SocketStream& plain,
                                        std::shared_ptr<const TlsServerContexts> contexts) {
  const int family = plain.family();
  Pointer stream(new TlsStream(plain.take_socket()));
  stream->family_ = family;
  stream->server_contexts_ = std::move(contexts);
  return stream;
}

// False where memory fails.
bool TlsStream::begin_session() {
  ssl_ = client_context_ ? client_context_->new_session() : server_contexts_->new_session();
  BIO* bio = ssl_ ? make_tls_bio(socket_.native_handle()) : nullptr;
  if (bio == nullptr) return false;
  transport_ = &tls_transport(bio);
  SSL_set_bio(ssl_.get(), bio, bio);
  return true;
}

void TlsStream::start_connect(const StreamEndpoint& endpoint) {
  connect_begins();
  family_ = endpoint.protocol().family();
  if (const auto error = open_socket(socket_, endpoint)) {
    connect_cannot_begin(error);
    return;
  }
  auto done = [](TlsStream& self, const boost::system::error_code& error) {
    if (error) {
      self.connect_is_over(error);
    } else if (!self.begin_session()) {
      self.connect_is_over(asio::error::no_memory);
    } else {
      self.handshake();
    }
  };
  socket_.async_connect(endpoint, StreamOperation(*this, write_memory_, done));
}

void TlsStream::start_handshake() {
  connect_begins();
  if (!begin_session()) {
    connect_cannot_begin(asio::error::no_memory);
    return;
  }
  wait_for_handshake(Socket::wait_read);
}

void TlsStream::wait_for_handshake(Socket::wait_type what) {
  auto ready = [](TlsStream& self, const boost::system::error_code&) { self.handshake(); };
  socket_.async_wait(what, StreamOperation(*this, write_memory_, ready));
}

void TlsStream::handshake() {
  if (!socket_.is_open()) {
    connect_is_over(asio::error::operation_aborted);
    return;
  }
  ERR_clear_error();
  transport_->begin_call();
  const int result = SSL_do_handshake(ssl_.get());
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_NONE:
      established_ = true;
      connect_is_over({});
      return;
    case SSL_ERROR_WANT_READ:
      wait_for_handshake(Socket::wait_read);
      return;
    case SSL_ERROR_WANT_WRITE:
      wait_for_handshake(Socket::wait_write);
      return;
    default:
      handshake_failed();
  }
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

void TlsStream::start_read(std::span<char> space) {
  space_ = space;
  begin_read();
}

void TlsStream::start_wait_readable() {
  space_ = {};
  begin_read();
}

// Whether only the socket can bring news: not so where OpenSSL holds bytes, or has seen the end with the
// last.
bool TlsStream::nothing_to_tell() const {
  const bool ended = failure_ || (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
  return !ended && transport_->drained && SSL_has_pending(ssl_.get()) == 0;
}

void TlsStream::begin_read() {
  read_begins();
  read_cancelled_ = false;
  if (!established_ || !socket_.is_open()) {
    tell_later({.error = asio::error::not_connected});
  } else if (nothing_to_tell()) {
    wait_to_read();
  } else if (const auto outcome = try_read()) {
    tell_later(*outcome);
  } else {
    wait_to_read();
  }
}

// As much as is there, nullopt for nothing yet. What failed after some bytes is found again by the next try.
std::optional<Stream::ReadOutcome> TlsStream::try_read() {
  ReadOutcome outcome;
  if (failure_) {
    outcome.error = failure_;
    return outcome;
  }
  SSL* ssl = ssl_.get();
  int result;
  do {
    ERR_clear_error();
    transport_->begin_call();
    if (space_.empty()) {
      char byte;
      result = SSL_peek(ssl, &byte, 1);
      if (result > 0) return outcome;
    } else {
      result = SSL_read(ssl, space_.data() + outcome.bytes, int_size(space_.size() - outcome.bytes));
      if (result > 0) outcome.bytes += static_cast<std::size_t>(result);
    }
  } while (result > 0 && outcome.bytes < space_.size() && SSL_has_pending(ssl) != 0);
  if (result > 0) return outcome;
  switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      read_wants_write_ = SSL_want_write(ssl) != 0;
      if (outcome.bytes == 0) return std::nullopt;
      break;
    case SSL_ERROR_ZERO_RETURN:
      outcome.eof = outcome.bytes == 0;
      break;
    default:
      failure_ = take_tls_error(ssl, transport_->error);
      if (outcome.bytes == 0) outcome.error = failure_;
  }
  return outcome;
}

void TlsStream::tell_later(const ReadOutcome& outcome) {
  ready_ = outcome;
  auto tell = [](TlsStream& self) {
    ReadOutcome told = *std::exchange(self.ready_, std::nullopt);
    if (!self.socket_.is_open() && !told.error) told = cancelled_outcome();
    self.read_is_over(told);
  };
  // To the loop itself: the socket's executor, of an erased type, has memory of its own.
  auto& io = static_cast<asio::io_context&>(asio::query(socket_.get_executor(), asio::execution::context));
  asio::post(io, StreamOperation(*this, read_memory_, tell));
}

void TlsStream::wait_to_read() {
  auto ready = [](TlsStream& self, const boost::system::error_code&) { self.may_read(); };
  socket_.async_wait(std::exchange(read_wants_write_, false) ? Socket::wait_write : Socket::wait_read,
                     StreamOperation(*this, read_memory_, ready));
}

void TlsStream::may_read() {
  if (read_cancelled_ || !socket_.is_open()) {
    read_is_over(cancelled_outcome());
  } else if (const auto outcome = try_read()) {
    read_is_over(*outcome);
  } else {
    wait_to_read();
  }
}

void TlsStream::cancel_read() {
  if (!read_pending() || ready_) return;
  read_cancelled_ = true;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

bool TlsStream::quiet() const {
  return const_cast<TlsStream&>(*this).look();
}

bool TlsStream::hung_up() const {
  return !socket_.is_open() || peer_hung_up(const_cast<Socket&>(socket_).native_handle());
}

bool TlsStream::look() {
  if (ready_ || failure_ || !established_) return false;
  ERR_clear_error();
  transport_->begin_call();
  char byte;
  const int result = SSL_peek(ssl_.get(), &byte, 1);
  const int error = SSL_get_error(ssl_.get(), result);
  ERR_clear_error();
  if (error == SSL_ERROR_WANT_READ && transport_->receives_left > 0) return true;
  // What came is with OpenSSL now, and the socket may never become readable again: a pending read looks.
  boost::system::error_code ignored;
  if (read_pending()) socket_.cancel(ignored);
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
  auto done = [](TlsStream& self, const boost::system::error_code&) { self.write_wait_is_over(); };
  socket_.async_wait(std::exchange(write_wants_read_, false) ? Socket::wait_read : Socket::wait_write,
                     StreamOperation(*this, write_memory_, done));
}

void TlsStream::shutdown_send() {
  if (established_ && !failure_ && refused_ == 0) {
    say_close();
    return;
  }
  boost::system::error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

void TlsStream::say_close() {
  close_said_ = true;
  if (!socket_.is_open()) return;
  ERR_clear_error();
  transport_->begin_call();
  const int result = SSL_shutdown(ssl_.get());
  if (result < 0 && SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_WRITE) {
    auto again = [](TlsStream& self, const boost::system::error_code&) { self.say_close(); };
    socket_.async_wait(Socket::wait_write, StreamOperation(*this, write_memory_, again));
    return;
  }
  ERR_clear_error();
  boost::system::error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

void TlsStream::reset_at_close() {
  reset_ = true;
  boost::system::error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
}

void TlsStream::close() {
  const bool in_handshake = transport_ != nullptr && !established_ && !failure_;
  if (client_context_ != nullptr && in_handshake && socket_.is_open()) {
    client_context_->say_failure("tls: given up before the handshake was over");
  }
  const bool kindly = client_context_ != nullptr && established_ && !failure_ && !close_said_ && !reset_;
  if (kindly && refused_ == 0 && socket_.is_open()) {
    ERR_clear_error();
    transport_->begin_call();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }
  boost::system::error_code ignored;
  socket_.close(ignored);
  // The number may be another connection's from here on.
  if (transport_ != nullptr) transport_->descriptor = -1;
}

std::unique_ptr<DetachedStream> TlsStream::detach() {
  if (!socket_.is_open() || !established_ || failure_ || ready_ || refused_ > 0 || close_said_)
    return nullptr;
  boost::system::error_code error;
  socket_.release(error);
  if (error) return nullptr;
  auto detached = std::make_unique<Detached>(*this);
  established_ = false;
  transport_ = nullptr;
  return detached;
}

}  // namespace sekisho::proxy
