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

}  // namespace sekisho::config
