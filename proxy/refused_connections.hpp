// Connections that are accepted only to be told that there is no room.
#pragma once

#include <string_view>
#include <vector>

#include "proxy/event_loop.hpp"

namespace sekisho::proxy {

// Each is answered at once and closed when its client has closed, or a second later: a close right after the
// answer would be a reset where the client has sent something, and could take the answer with it (RFC 9112,
// 9.6). Bounded under a flood: where 64 wait, the oldest is closed early. Used on the
// loop's thread alone.
class RefusedConnections final : private LoopTimer {
 public:
  explicit RefusedConnections(EventLoop& loop);
  // Closes what is left.
  ~RefusedConnections();

  // Takes over the descriptor. Sends as much of `answer` as the socket takes, which is all of anything small.
  void refuse(int descriptor, std::string_view answer, Instant now);

 private:
  struct Waiting {
    int descriptor;
    Instant until;
  };
  void on_time(Instant now) override;

  EventLoop& loop_;
  std::vector<Waiting> waiting_;  // the oldest first
};

}  // namespace sekisho::proxy
