// Connections that are accepted only to be told that there is no room.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string_view>
#include <vector>

#include "ratelimit/instant.hpp"

namespace sekisho::proxy {

// Each is answered at once and closed when its client has closed, or a second later: a close right after the
// answer would be a reset where the client has sent something, and could take the answer with it (RFC 9112,
// 9.6). Bounded under a flood: where 64 wait, the oldest is closed early. Lives until the last is closed.
// Used on the io_context's thread alone.
class RefusedConnections : public std::enable_shared_from_this<RefusedConnections> {
 public:
  explicit RefusedConnections(boost::asio::io_context& io);
  // Closes what is left.
  ~RefusedConnections();

  // Takes over the descriptor. Sends as much of `answer` as the socket takes, which is all of anything small.
  void refuse(int descriptor, std::string_view answer, ratelimit::Instant now);

 private:
  struct Waiting {
    int descriptor;
    ratelimit::Instant until;
  };
  void arm();
  void look(ratelimit::Instant now);

  boost::asio::steady_timer timer_;
  std::vector<Waiting> waiting_;  // the oldest first
  bool armed_ = false;
};

}  // namespace sekisho::proxy
