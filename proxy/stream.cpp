#include "proxy/stream.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <cerrno>

#include "proxy/frame_pool.hpp"

namespace sekisho::proxy {

template <class T>
struct Stream::OperationAllocator {
  using value_type = T;
  explicit OperationAllocator(OperationMemory* m) : memory(m) {}
  template <class U>
  OperationAllocator(const OperationAllocator<U>& other) noexcept : memory(other.memory) {}

  T* allocate(std::size_t n) {
    if (!memory->in_use && n * sizeof(T) <= memory->bytes.size()) {
      memory->in_use = true;
      return reinterpret_cast<T*>(memory->bytes.data());
    }
    return static_cast<T*>(FramePool::allocate(n * sizeof(T)));
  }
  void deallocate(T* p, std::size_t n) noexcept {
    if (reinterpret_cast<std::byte*>(p) == memory->bytes.data()) {
      memory->in_use = false;
    } else {
      FramePool::release(p, n * sizeof(T));
    }
  }
  friend bool operator==(const OperationAllocator& a, const OperationAllocator& b) noexcept {
    return a.memory == b.memory;
  }

  OperationMemory* memory;
};

// Keeps the stream alive while the operation is pending, and lends it the stream's own memory.
template <class Function>
struct Stream::Handler {
  using allocator_type = OperationAllocator<void>;
  Ptr stream;
  OperationMemory* memory;
  Function function;

  allocator_type get_allocator() const noexcept { return allocator_type(memory); }
  template <class... Arguments>
  void operator()(Arguments&&... arguments) {
    function(*stream, std::forward<Arguments>(arguments)...);
  }
};

Stream::Ptr Stream::create(asio::io_context& io) {
  return Ptr(new Stream(io));
}

Stream::Ptr Stream::adopt(asio::io_context& io, int family, int descriptor) {
  Ptr stream(new Stream(io));
  stream->socket_.assign(asio::generic::stream_protocol(family, 0), descriptor);
  boost::system::error_code ignored;
  stream->socket_.non_blocking(true, ignored);
  return stream;
}

void Stream::start_connect(const StreamEndpoint& endpoint) {
  connect_result_.reset();
  boost::system::error_code error;
  socket_.open(endpoint.protocol(), error);
  if (!error) socket_.non_blocking(true, error);
  if (error) {
    connect_result_ = error;
    return;
  }
  write_pending_ = true;
  auto done = [](Stream& self, const boost::system::error_code& e) { self.complete_connect(e); };
  socket_.async_connect(endpoint, Handler<decltype(done)>{Ptr(this), &write_memory_, done});
}

void Stream::complete_connect(const boost::system::error_code& error) {
  write_pending_ = false;
  connect_result_ = error;
  notify();
}

void Stream::start_read(std::span<char> space) {
  read_pending_ = true;
  auto done = [](Stream& self, const boost::system::error_code& e, std::size_t n) {
    self.complete_read(e, n);
  };
  socket_.async_read_some(asio::buffer(space.data(), space.size()),
                          Handler<decltype(done)>{Ptr(this), &read_memory_, done});
}

void Stream::start_wait_readable() {
  read_pending_ = true;
  auto done = [](Stream& self, const boost::system::error_code& e) { self.complete_read(e, 0); };
  socket_.async_wait(Socket::wait_read, Handler<decltype(done)>{Ptr(this), &read_memory_, done});
}

void Stream::cancel_read() {
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

void Stream::complete_read(const boost::system::error_code& error, std::size_t bytes) {
  read_pending_ = false;
  ReadOutcome outcome;
  outcome.bytes = bytes;
  if (error == asio::error::eof) {
    outcome.eof = true;
  } else if (error == asio::error::operation_aborted) {
    outcome.cancelled = true;
  } else {
    outcome.error = error;
  }
  read_outcome_ = outcome;
  notify();
}

std::optional<Stream::ReadOutcome> Stream::take_read() {
  return std::exchange(read_outcome_, std::nullopt);
}

Stream::WriteOutcome Stream::try_write(std::span<const asio::const_buffer> buffers) {
  constexpr std::size_t most = 64;
  iovec vectors[most];
  const std::size_t count = std::min(buffers.size(), most);
  for (std::size_t i = 0; i < count; ++i) {
    vectors[i] = {const_cast<void*>(buffers[i].data()), buffers[i].size()};
  }
  WriteOutcome outcome;
  for (;;) {
    ssize_t sent;
    if (count == 1) {
      sent = ::send(socket_.native_handle(), vectors[0].iov_base, vectors[0].iov_len,
                    MSG_NOSIGNAL | MSG_DONTWAIT);
    } else {
      msghdr message{};
      message.msg_iov = vectors;
      message.msg_iovlen = count;
      sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
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

void Stream::start_wait_writable() {
  write_pending_ = true;
  auto done = [](Stream& self, const boost::system::error_code& e) { self.complete_write_wait(e); };
  socket_.async_wait(Socket::wait_write, Handler<decltype(done)>{Ptr(this), &write_memory_, done});
}

void Stream::complete_write_wait(const boost::system::error_code&) {
  write_pending_ = false;
  notify();
}

bool Stream::quiet() const {
  char byte;
  const auto descriptor = const_cast<Socket&>(socket_).native_handle();
  const ssize_t seen = ::recv(descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return seen < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

void Stream::shutdown_send() {
  boost::system::error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

void Stream::reset_at_close() {
  boost::system::error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
}

void Stream::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

int Stream::release() {
  if (!socket_.is_open()) return -1;
  return socket_.release();
}

}  // namespace sekisho::proxy
