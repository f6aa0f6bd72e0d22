#include "bench/load/target.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sekisho::load {
namespace {

// Fewer than Linux has to give by default for one source address, one target and its port: 28,232.
constexpr std::uint64_t connections_a_source = 20'000;
// More than what a packet takes around the world, and the one that is lost to be sent again.
constexpr int milliseconds_to_connect = 2000;

template <class Option>
void set(int fd, int level, int name, const Option& value) {
  ::setsockopt(fd, level, name, &value, sizeof value);  // each makes things better; none is needed
}

bool bind_source(int fd, std::uint64_t connection) {
  sockaddr_in source{};
  source.sin_family = AF_INET;
  // 127.0.1.1, 127.0.1.2 ...: all of 127/8 is this machine.
  const auto number = static_cast<std::uint32_t>(connection / connections_a_source);
  source.sin_addr.s_addr = htonl(0x7f000101 + number);
  // The port is chosen as the connection is made, when the target is known: else each port would do for one
  // target.
  set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&source), sizeof source) == 0;
}

int connect_to(int fd, const SocketAddress& address) {
  return ::connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.size);
}

bool connects(const SocketAddress& address) {
  const int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  int error = connect_to(fd, address) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    pollfd waiting{fd, POLLOUT, 0};
    socklen_t size = sizeof error;
    if (::poll(&waiting, 1, milliseconds_to_connect) == 1)
      ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  }
  ::close(fd);
  return error == 0;
}

}  // namespace

bool Target::loopback_v4() const {
  if (address.storage.ss_family != AF_INET) return false;
  return ntohl(reinterpret_cast<const sockaddr_in&>(address.storage).sin_addr.s_addr) >> 24 == 127;
}

std::optional<Target> resolve(const config::Endpoint& endpoint, std::string& problem) {
  Target target;
  target.text = endpoint.text;
  if (endpoint.kind == config::Endpoint::Kind::unix_path) {
    auto& address = reinterpret_cast<sockaddr_un&>(target.address.storage);
    address.sun_family = AF_UNIX;
    if (endpoint.host.size() >= sizeof address.sun_path) {
      problem = "the path of a UNIX socket has at most 107 bytes";
      return std::nullopt;
    }
    std::memcpy(address.sun_path, endpoint.host.c_str(), endpoint.host.size() + 1);
    target.address.size = sizeof address;
    target.host = "localhost";
    return target;
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error =
      ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found);
  if (error != 0) {
    problem = fmt::format("{}: {}", endpoint.host, ::gai_strerror(error));
    return std::nullopt;
  }
  std::vector<SocketAddress> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    SocketAddress& address = addresses.emplace_back();
    std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
    address.size = one->ai_addrlen;
  }
  ::freeaddrinfo(found);
  // One alone is not tried, so that a run's connections are all that the target sees.
  target.address = addresses.size() == 1 ? addresses.front() : first_that_connects(addresses);
  target.host = endpoint.text;
  return target;
}

const SocketAddress& first_that_connects(const std::vector<SocketAddress>& addresses) {
  const auto found = std::find_if(addresses.begin(), addresses.end(), connects);
  return found == addresses.end() ? addresses.front() : *found;
}

int begin_connect(const Target& target, std::uint64_t connection, std::uint64_t connections,
                  int receive_buffer, bool& connected) {
  const int fd = ::socket(target.address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (target.address.storage.ss_family != AF_UNIX) {
    // Closing resets the connection. Whoever closes in good order keeps the port for a minute (TIME_WAIT),
    // and a loop of fresh connections would be out of ports within two seconds; what the peer had to say has
    // been read by then.
    set(fd, SOL_SOCKET, SO_LINGER, linger{1, 0});
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  }
  if (receive_buffer > 0) set(fd, SOL_SOCKET, SO_RCVBUF, receive_buffer);
  const bool bound =
      connections <= connections_a_source || !target.loopback_v4() || bind_source(fd, connection);
  if (bound && connect_to(fd, target.address) == 0) {
    connected = true;
    return fd;
  }
  if (bound && errno == EINPROGRESS) {
    connected = false;
    return fd;
  }
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

}  // namespace sekisho::load
