#include "proxy/socket_stream.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <cerrno>

namespace sekisho::proxy {
namespace {

class DetachedSocket final : public DetachedStream {
 public:
  DetachedSocket(int family, int descriptor) : family_(family), descriptor_(descriptor) {}
  ~DetachedSocket() override {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Stream::Ptr attach(asio::io_context& io) override {
    return SocketStream::adopt(io, family_, std::exchange(descriptor_, -1));
  }

 private:
  int family_;
  int descriptor_;
};

}  // namespace

Stream::Ptr SocketStream::create(asio::io_context& io) {
  return Ptr(new SocketStream(io));
}

Stream::Ptr SocketStream::adopt(asio::io_context& io, int family, int descriptor) {
  boost::intrusive_ptr<SocketStream> stream(new SocketStream(io));
  stream->family_ = family;
  stream->socket_.assign(asio::generic::stream_protocol(family, 0), descriptor);
  boost::system::error_code ignored;
  stream->socket_.non_blocking(true, ignored);
  return stream;
}

boost::system::error_code open_socket(SocketStream::Socket& socket, const StreamEndpoint& endpoint) {
  boost::system::error_code error;
  socket.open(endpoint.protocol(), error);
  if (!error) socket.non_blocking(true, error);
  if (!error && endpoint.protocol().family() != AF_UNIX) {
    const int on = 1;
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  return error;
}

void SocketStream::start_connect(const StreamEndpoint& endpoint) {
  connect_begins();
  family_ = endpoint.protocol().family();
  if (const auto error = open_socket(socket_, endpoint)) {
    connect_cannot_begin(error);
    return;
  }
  auto done = [](SocketStream& self, const boost::system::error_code& error) { self.connect_is_over(error); };
  socket_.async_connect(endpoint, StreamOperation(*this, write_memory_, done));
}

void SocketStream::start_read(std::span<char> space) {
  read_begins();
  auto done = [](SocketStream& self, const boost::system::error_code& error, std::size_t bytes) {
    self.complete_read(error, bytes);
  };
  socket_.async_read_some(asio::buffer(space.data(), space.size()),
                          StreamOperation(*this, read_memory_, done));
}

void SocketStream::start_wait_readable() {
  read_begins();
  auto done = [](SocketStream& self, const boost::system::error_code& error) {
    self.complete_read(error, 0);
  };
  socket_.async_wait(Socket::wait_read, StreamOperation(*this, read_memory_, done));
}

void SocketStream::cancel_read() {
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

void SocketStream::complete_read(const boost::system::error_code& error, std::size_t bytes) {
  ReadOutcome outcome;
  outcome.bytes = bytes;
  if (error == asio::error::eof) {
    outcome.eof = true;
  } else if (error == asio::error::operation_aborted) {
    outcome.cancelled = true;
  } else {
    outcome.error = error;
  }
  read_is_over(outcome);
}

Stream::WriteOutcome send_some(int descriptor, std::span<const asio::const_buffer> buffers) {
  constexpr std::size_t most = 64;
  iovec vectors[most];
  const std::size_t count = std::min(buffers.size(), most);
  for (std::size_t i = 0; i < count; ++i) {
    vectors[i] = {const_cast<void*>(buffers[i].data()), buffers[i].size()};
  }
  Stream::WriteOutcome outcome;
  for (;;) {
    ssize_t sent;
    if (count == 1) {
      sent = ::send(descriptor, vectors[0].iov_base, vectors[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    } else {
      msghdr message{};
      message.msg_iov = vectors;
      message.msg_iovlen = count;
      sent = ::sendmsg(descriptor, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    if (sent >= 0) {
      outcome.bytes = static_cast<std::size_t>(sent);
      return outcome;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) outcome.error = {errno, boost::system::system_category()};
    return outcome;
  }
}

Stream::WriteOutcome SocketStream::try_write(std::span<const asio::const_buffer> buffers) {
  return send_some(socket_.native_handle(), buffers);
}

void SocketStream::start_wait_writable() {
  write_wait_begins();
  auto done = [](SocketStream& self, const boost::system::error_code&) { self.write_wait_is_over(); };
  socket_.async_wait(Socket::wait_write, StreamOperation(*this, write_memory_, done));
}

bool SocketStream::quiet() const {
  char byte;
  const auto descriptor = const_cast<Socket&>(socket_).native_handle();
  const ssize_t seen = ::recv(descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return seen < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

bool peer_hung_up(int descriptor) {
  pollfd looked_at{descriptor, POLLRDHUP, 0};
  return ::poll(&looked_at, 1, 0) > 0;
}

bool SocketStream::hung_up() const {
  return peer_hung_up(const_cast<Socket&>(socket_).native_handle());
}

void SocketStream::shutdown_send() {
  boost::system::error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

void SocketStream::reset_at_close() {
  boost::system::error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
}

void SocketStream::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

std::unique_ptr<DetachedStream> SocketStream::detach() {
  if (!socket_.is_open()) return nullptr;
  boost::system::error_code error;
  const int descriptor = socket_.release(error);
  if (error) return nullptr;
  return std::make_unique<DetachedSocket>(family_, descriptor);
}

}  // namespace sekisho::proxy
