// Where the load goes: the socket addresses behind HOST:PORT or unix:PATH.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

#include "config/config.hpp"

namespace sekisho::load {

struct Target {
  sockaddr_storage address{};
  socklen_t size = 0;
  std::string text;  // as written
  std::string host;  // what Host says by default

  bool loopback_v4() const;
};

// Looks a name up. nullopt with `problem` set where nothing is known of it.
std::optional<Target> resolve(const config::Endpoint& endpoint, std::string& problem);

// A non-blocking socket that has begun to connect, or -1 with errno set. `connection`, its number within the
// run, chooses the source address where one address has too few ports.
int begin_connect(const Target& target, std::uint64_t connection, std::uint64_t connections,
                  int receive_buffer, bool& connected);

}  // namespace sekisho::load
