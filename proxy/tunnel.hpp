// An upgraded connection: bytes both ways until both sides have closed.
#pragma once

#include "proxy/client_connection.hpp"
#include "proxy/exchange.hpp"
#include "proxy/task.hpp"

namespace sekisho::proxy {

// Takes over after the 101. Lets go of the exchange's snapshot, so that an hour-long WebSocket does not keep
// an old configuration alive.
class Tunnel {
 public:
  Tunnel(ClientConnection& client, Exchange& exchange);
  ~Tunnel();
  Task<void> run();

 private:
  void carry(Link& from, InputBuffer& read_into, Link& to, bool& closed);
  static bool over(const Link& from, const Link& to, bool closed);
  void arm(Link& from, InputBuffer& read_into, const Link& to);

  ClientConnection& client_;
  Exchange& exchange_;
  Duration timeout_;
};

}  // namespace sekisho::proxy
