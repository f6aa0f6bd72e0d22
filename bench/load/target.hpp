// Where the load goes: the socket addresses behind HOST:PORT or unix:PATH.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"

namespace sekisho::load {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

struct Target {
  SocketAddress address;
  std::string text;  // as written
  std::string host;  // what Host says by default

  bool loopback_v4() const;
};

// Looks a name up. Of several addresses it is the first that a connection can be made to: a name may stand
// for an IPv6 address too, and the target listen on the other alone. nullopt with `problem` set where nothing
// is known of the name.
std::optional<Target> resolve(const config::Endpoint& endpoint, std::string& problem);

// The first of the addresses, of which there is one at least, that takes a connection, which is closed again.
// Where none does it is the first: the run will tell why.
const SocketAddress& first_that_connects(const std::vector<SocketAddress>& addresses);

// A non-blocking socket that has begun to connect, or -1 with errno set. `connection`, its number within the
// run, chooses the source address where one address has too few ports.
int begin_connect(const Target& target, std::uint64_t connection, std::uint64_t connections,
                  int receive_buffer, bool& connected);

}  // namespace sekisho::load
