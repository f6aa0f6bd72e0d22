#include "proxy/listening_socket.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "proxy/endpoint_address.hpp"

namespace sekisho::proxy {
namespace {

constexpr int backlog = 4096;
// Whoever reaches the file may connect, as with nginx: the peer runs in another container, as another user.
// The folder's mode says who reaches it.
constexpr mode_t everybody = 0666;

bool set(int descriptor, int level, int option, int value) {
  return ::setsockopt(descriptor, level, option, &value, sizeof value) == 0;
}

std::string reason_of(int error) {
  return error == EADDRINUSE ? "the address is in use (another process listens there)" : std::strerror(error);
}

}  // namespace

ListenProblem::ListenProblem(const config::Endpoint& address, const std::string& reason)
    : std::runtime_error(fmt::format("cannot listen on {}: {}", address.text, reason)), mark_(address.mark) {}

void share_address(int descriptor, bool shared) {
  set(descriptor, SOL_SOCKET, SO_REUSEPORT, shared ? 1 : 0);
}

ListeningSocket::ListeningSocket(const config::Endpoint& address, bool shared) {
  const bool on_unix = address.kind == config::Endpoint::Kind::unix_path;
  try {
    const auto endpoint = socket_endpoint(address);
    if (on_unix) make_way_for_socket(address.host);
    const int family = endpoint.protocol().family();
    descriptor_ = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool good = descriptor_ >= 0;
    if (good && !on_unix) {
      // Accepted sockets inherit TCP_NODELAY: one system call less for each.
      good = set(descriptor_, SOL_SOCKET, SO_REUSEADDR, 1) && set(descriptor_, IPPROTO_TCP, TCP_NODELAY, 1) &&
             (family != AF_INET6 || set(descriptor_, IPPROTO_IPV6, IPV6_V6ONLY, 0)) &&
             (!shared || set(descriptor_, SOL_SOCKET, SO_REUSEPORT, 1));
    }
    good = good && ::bind(descriptor_, static_cast<const sockaddr*>(endpoint.data()),
                          static_cast<socklen_t>(endpoint.size())) == 0;
    if (!good) throw std::runtime_error(reason_of(errno));
    if (on_unix) file_ = UnixSocketFile(address.host, everybody);
  } catch (const std::exception& problem) {
    if (descriptor_ >= 0) ::close(descriptor_);
    throw ListenProblem(address, problem.what());
  }
}

ListeningSocket::~ListeningSocket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void ListeningSocket::listen(const config::Endpoint& address) {
  if (::listen(descriptor_, backlog) != 0) throw ListenProblem(address, reason_of(errno));
}

std::uint16_t ListeningSocket::port() const {
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&own), &size);
  if (own.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(own).sin6_port);
  return own.ss_family == AF_INET ? ntohs(reinterpret_cast<const sockaddr_in&>(own).sin_port)
                                  : std::uint16_t{0};
}

}  // namespace sekisho::proxy
