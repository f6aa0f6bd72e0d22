// One listener as a connection sees it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/ip_address.hpp"
#include "proxy/once_a_minute.hpp"

namespace sekisho::proxy {

class TlsServerContexts;

// What every state of one listening socket has in common. For any thread.
struct ListenerShared {
  // A reload took it out of the file: each of its connections says Connection: close with its next response.
  std::atomic<bool> removed{false};
  OnceAMinute proxy_refusal;  // of a connection without the PROXY header that it must have
};

// What the file says of one listener. Immutable once a socket listens by it; a reload puts another in its
// place, for new connections.
struct ListenerState {
  config::Endpoint address;
  std::uint16_t port = 0;       // in fact bound, where the address left it to the kernel; 0: a UNIX socket
  bool proxy_protocol = false;  // each connection begins with a PROXY header
  std::shared_ptr<const TlsServerContexts> tls;  // null: plain
  std::shared_ptr<ListenerShared> shared;
};

// "0.0.0.0:8080", "[::]:8080", "unix:/run/http.sock": with the port that the kernel gave.
std::string bound_address(const ListenerState& listener);

// What `config.listen` asks for, in its order; nothing is bound yet.
std::vector<ListenerState> wanted_listeners(const config::Config& config);

// A connection on its way from the listener's thread to its worker.
struct AcceptedConnection {
  int descriptor = -1;  // non-blocking; whoever takes it up closes it
  int family = 0;
  config::IpAddress peer;  // 127.0.0.1 on a UNIX socket; by PROXY header, the source that it names
  std::uint16_t port = 0;  // what X-Forwarded-Port says; 0: it is left out
  std::shared_ptr<const ListenerState> listener;
};

}  // namespace sekisho::proxy
