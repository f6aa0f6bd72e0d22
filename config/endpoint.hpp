// HOST:PORT, [IPv6]:PORT, NAME:PORT and unix:PATH.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace sekisho::config {

enum class EndpointUse : std::uint8_t {
  connect,  // an upstream server: names are looked up, port 0 means nothing
  listen,   // an address of this machine: no names; port 0 lets the kernel choose
};

// nullopt with `problem` set to what is wrong and what would be right.
std::optional<Endpoint> parse_endpoint(std::string_view text, EndpointUse use, Mark mark,
                                       std::string& problem);

// A name that a resolver may be asked for, and no address.
bool is_host_name(std::string_view text);

// Whether only one of the two can be listened on: 0.0.0.0 takes a port of every IPv4 address, [::] of every
// address. Never so for port 0.
bool overlap(const Endpoint& a, const Endpoint& b);

}  // namespace sekisho::config
