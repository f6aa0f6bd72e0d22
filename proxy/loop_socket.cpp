#include "proxy/loop_socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace sekisho::proxy {
namespace {

// The C library's own calls are points where a thread can be cancelled, which costs two atomic operations in
// each of them, a fiftieth of a request altogether. Nobody cancels a worker.
ssize_t receive_bytes(int descriptor, void* space, std::size_t size, int flags) {
  return ::syscall(SYS_recvfrom, descriptor, space, size, flags, nullptr, nullptr);
}
ssize_t send_bytes(int descriptor, const void* bytes, std::size_t size, int flags) {
  return ::syscall(SYS_sendto, descriptor, bytes, size, flags, nullptr, 0);
}
ssize_t send_message(int descriptor, const msghdr& message, int flags) {
  return ::syscall(SYS_sendmsg, descriptor, &message, flags);
}

boost::system::error_code last_error() {
  return {errno, boost::system::system_category()};
}

bool would_block(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

}  // namespace

boost::system::error_code LoopSocket::adopt(int family, int descriptor) {
  if (const auto error = loop_->watch(descriptor, *this)) {
    ::close(descriptor);
    return error;
  }
  descriptor_ = descriptor;
  family_ = static_cast<std::uint16_t>(family);
  watched_ = true;
  return {};
}

void LoopSocket::adopt_unwatched(int family, int descriptor) {
  descriptor_ = descriptor;
  family_ = static_cast<std::uint16_t>(family);
  readable_ = true;
  loop_->watch_soon(*this);
}

void LoopSocket::on_watch_due() {
  watched_ = true;
  if (!loop_->watch(descriptor_, *this)) return;
  ::shutdown(descriptor_, SHUT_RDWR);
  readable_ = writable_ = ended_ = true;
  look_again();
}

// Nothing more can be done until an edge comes.
void LoopSocket::blocked() {
  if (watched_) return;
  loop_->cancel_watch(*this);
  on_watch_due();
}

boost::system::error_code LoopSocket::connect(const StreamEndpoint& endpoint) {
  const int family = endpoint.protocol().family();
  const int descriptor = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return last_error();
  if (family != AF_UNIX) {
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  const int result = ::connect(descriptor, static_cast<const sockaddr*>(endpoint.data()),
                               static_cast<socklen_t>(endpoint.size()));
  if (result != 0 && errno != EINPROGRESS) {
    const auto error = last_error();
    ::close(descriptor);
    return error;
  }
  connecting_ = true;
  writable_ = result == 0;
  // Watched from here on only: before, epoll would call it hung up.
  return adopt(family, descriptor);
}

bool LoopSocket::connect_ended(boost::system::error_code& error) {
  if (!writable_ && !ended_) return false;
  connecting_ = false;
  int problem = 0;
  socklen_t size = sizeof problem;
  if (::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &problem, &size) != 0) problem = errno;
  error = {problem, boost::system::system_category()};
  return true;
}

void LoopSocket::on_events(std::uint32_t events) {
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    readable_ = writable_ = ended_ = true;
  } else {
    if ((events & EPOLLIN) != 0) readable_ = true;
    if ((events & EPOLLOUT) != 0) writable_ = true;
  }
  on_ready();
}

LoopSocket::Received LoopSocket::receive(std::span<char> space) {
  Received received;
  for (;;) {
    const ssize_t got = receive_bytes(descriptor_, space.data(), space.size(), MSG_DONTWAIT);
    if (got > 0) {
      received.bytes = static_cast<std::size_t>(got);
      // Less than asked for is all there was; an end behind it was told of with it.
      readable_ = received.bytes == space.size() || ended_;
      return received;
    }
    if (got == 0) {
      received.eof = true;
    } else if (errno == EINTR) {
      continue;
    } else if (would_block(errno)) {
      readable_ = false;
      blocked();
    } else {
      received.error = last_error();
    }
    return received;
  }
}

LoopSocket::Sent LoopSocket::send(std::span<const asio::const_buffer> buffers) {
  constexpr std::size_t most = 64;
  iovec vectors[most];
  const std::size_t count = std::min(buffers.size(), most);
  std::size_t offered = 0;
  for (std::size_t i = 0; i < count; ++i) {
    vectors[i] = {const_cast<void*>(buffers[i].data()), buffers[i].size()};
    offered += buffers[i].size();
  }
  const int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (end_follows_ ? MSG_MORE : 0);
  Sent outcome;
  for (;;) {
    ssize_t sent;
    if (count == 1) {
      sent = send_bytes(descriptor_, vectors[0].iov_base, vectors[0].iov_len, flags);
    } else {
      msghdr message{};
      message.msg_iov = vectors;
      message.msg_iovlen = count;
      sent = send_message(descriptor_, message, flags);
    }
    if (sent >= 0) {
      outcome.bytes = static_cast<std::size_t>(sent);
      writable_ = outcome.bytes == offered;
      if (!writable_) blocked();
      return outcome;
    }
    if (errno == EINTR) continue;
    if (would_block(errno)) {
      writable_ = false;
      blocked();
    } else {
      outcome.error = last_error();
    }
    return outcome;
  }
}

bool LoopSocket::nothing_came() {
  char byte;
  const ssize_t seen = receive_bytes(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  const bool nothing = seen < 0 && would_block(errno);
  if (nothing) readable_ = false;
  return nothing || (seen < 0 && errno == EINTR);
}

void LoopSocket::shutdown_socket() const {
  ::shutdown(descriptor_, SHUT_WR);
}

void LoopSocket::linger_none() const {
  const linger none{1, 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

void LoopSocket::close_socket() {
  if (descriptor_ < 0) return;
  loop_->forget(*this);
  ::close(std::exchange(descriptor_, -1));
  connecting_ = false;
}

int LoopSocket::release() {
  if (descriptor_ < 0) return -1;
  if (watched_) {
    loop_->unwatch(descriptor_, *this);
  } else {
    loop_->forget(*this);
  }
  return std::exchange(descriptor_, -1);
}

}  // namespace sekisho::proxy
