#include "proxy/acceptor.hpp"

#include <fmt/format.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <stdexcept>

#include "proxy/diagnostic_log.hpp"
#include "proxy/worker.hpp"

namespace sekisho::proxy {
namespace {

constexpr unsigned accepts_a_turn = 64;
constexpr int backlog = 4096;
constexpr Duration back_off_time = std::chrono::milliseconds(100);
constexpr Duration say_full_every = std::chrono::minutes(1);

[[noreturn]] void fail(const config::Endpoint& address, const std::string& reason) {
  throw std::runtime_error(fmt::format("cannot listen on {}: {}", address.text, reason));
}

int open_listener(const config::Endpoint& address) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed =
      ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (failed != 0) fail(address, ::gai_strerror(failed));
  const int listener = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  bool good = listener >= 0 && ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
  // Accepted sockets inherit it: one system call less for each.
  good = good && ::setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
  good = good && ::bind(listener, found->ai_addr, found->ai_addrlen) == 0 && ::listen(listener, backlog) == 0;
  const int error = errno;
  ::freeaddrinfo(found);
  if (!good) {
    if (listener >= 0) ::close(listener);
    fail(address, error == EADDRINUSE ? "the address is in use (another process listens there)"
                                      : std::strerror(error));
  }
  return listener;
}

config::IpAddress to_ip(const sockaddr_storage& from) {
  if (from.ss_family == AF_INET6) {
    std::array<std::uint8_t, 16> bytes;
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6&>(from).sin6_addr, bytes.size());
    return config::IpAddress::v6(bytes);
  }
  if (from.ss_family == AF_INET)
    return config::IpAddress::v4(ntohl(reinterpret_cast<const sockaddr_in&>(from).sin_addr.s_addr));
  return config::IpAddress::v4(0x7f000001);
}

std::uint16_t port_of(int listener) {
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&own), &size);
  return ntohs(own.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(own).sin6_port
                                         : reinterpret_cast<sockaddr_in&>(own).sin_port);
}

}  // namespace

Acceptor::Acceptor(ListenerState wanted, boost::asio::io_context& io, WorkerGroup& group)
    : listener_(io), back_off_(io), group_(group) {
  const int descriptor = open_listener(wanted.address);
  wanted.port = port_of(descriptor);
  listener_.assign(descriptor);
  wanted.shared = std::make_shared<ListenerShared>();
  state_ = std::make_shared<const ListenerState>(std::move(wanted));
}

Acceptor::~Acceptor() = default;

void Acceptor::start() {
  wait();
}

// A classic BPF program on the listening socket, which sees each segment from its TCP header on: what carries
// an ACK passes, a first SYN does not. Where it cannot be had (a UNIX socket, a sandboxed kernel), a
// connection made within the instant of the close is reset, as everywhere.
void Acceptor::turn_away() {
  constexpr std::uint32_t flags_offset = 13, ack = 0x10;
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, flags_offset),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, ack, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  const sock_fprog filter{.len = std::size(program), .filter = program};
  ::setsockopt(listener_.native_handle(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

void Acceptor::stop() {
  accept_some(backlog);
  boost::system::error_code ignored;
  back_off_.cancel();
  listener_.close(ignored);
}

void Acceptor::wait() {
  listener_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [this](const boost::system::error_code& error) {
                         if (error) return;
                         if (accept_some(accepts_a_turn)) {
                           wait();
                           return;
                         }
                         back_off_.expires_after(back_off_time);
                         back_off_.async_wait([this](const boost::system::error_code& cancelled) {
                           if (!cancelled) wait();
                         });
                       });
}

bool Acceptor::accept_some(unsigned most) {
  for (unsigned i = 0; i < most; ++i) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    const int descriptor = ::accept4(listener_.native_handle(), reinterpret_cast<sockaddr*>(&from), &size,
                                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
      place(descriptor, from.ss_family, to_ip(from));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return true;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      return false;
    }
    // Else that one connection failed before it was taken (ECONNABORTED and the like).
  }
  return true;
}

void Acceptor::place(int descriptor, int family, const config::IpAddress& peer) {
  Worker& first = *group_.workers.front();
  Worker* least = &first;
  std::uint64_t total = 0;
  for (const auto& worker : group_.workers) {
    total += worker->connections();
    if (worker->connections() < least->connections()) least = worker.get();
  }
  if (const std::uint64_t most = first.current().config->client.max_connections; total >= most) {
    first.counters.connections_refused.add();
    ::close(descriptor);
    say_full(most);
    return;
  }
  least->expect_client();
  AcceptedConnection accepted{descriptor, family, peer, state_->port, state_};
  if (least == &first) {
    first.adopt_client(accepted);
    return;
  }
  boost::asio::post(least->io(), [least, accepted = std::move(accepted)] { least->adopt_client(accepted); });
}

void Acceptor::say_full(std::uint64_t most) {
  const Instant now = std::chrono::steady_clock::now();
  if (said_full_ && now - *said_full_ < say_full_every) return;
  said_full_ = now;
  const std::string address = bound_address(*state_);
  post_event(LogLevel::warning, "connections_refused",
             fmt::format("{} refuses connections: client.max_connections ({}) are open", address, most),
             {{"listen", address}, {"max_connections", most}});
}

}  // namespace sekisho::proxy
