// Names to addresses without ever holding up the control thread or the process's end.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "proxy/upstream_server.hpp"

namespace sekisho::proxy {

struct NameLookup {
  std::vector<StreamEndpoint> endpoints;  // empty: it does not resolve, and `problem` says why
  std::string problem;
  bool temporary = false;  // the resolver could not say: it may resolve
};

// Which of a name's addresses are asked for: those of the families that this machine has an address of, or
// all.
enum class WantedAddresses : std::uint8_t { reachable, all };

// Asks the system's resolver. getaddrinfo can take half a minute and cannot be stopped, and Asio's own
// resolver waits for it when its io_context ends; so it runs on a thread of its own that nobody waits for,
// and `timer` looks for its answer. Gives up after 10 s, or when `timer` is cancelled.
boost::asio::awaitable<NameLookup> look_up_name(std::string host, std::uint16_t port,
                                                boost::asio::steady_timer& timer,
                                                WantedAddresses wanted = WantedAddresses::reachable);
struct NameToFind {
  std::string host;
  std::uint16_t port;
  WantedAddresses wanted = WantedAddresses::reachable;
};

// The same for a caller who must have the answers now: all names are asked for at once, and waited for no
// longer than `patience`. The answers in the names' order.
std::vector<NameLookup> wait_for_names(const std::vector<NameToFind>& names,
                                       std::chrono::milliseconds patience);

}  // namespace sekisho::proxy
