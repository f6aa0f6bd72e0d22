// What an engine found out about requests that it is asked about again and again, byte for byte: a flood's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "config/ip_address.hpp"
#include "proxy/policy/request.hpp"
#include "ratelimit/key.hpp"

namespace sekisho::policy {

// What one request and one peer come to before anything is asked that changes: the limits' words and bans.
// Only of requests in origin-form that came as far as the limits and whose path those read as usual.
struct KnownRequest {
  struct Limit {
    std::size_t index = 0;  // of a limit that matches
    ratelimit::Key key;
  };

  std::uint64_t serial = 0;  // 0: nothing is known
  config::IpAddress peer;
  config::IpAddress client;
  bool peer_trusted = false;
  std::size_t host_field = 0;  // whose value is the authority
  int route = -1;
  std::string path;           // the usual reading
  std::vector<Limit> limits;  // in the file's order
};

// The last few, each in a place of its own. Allocates nothing once warm. One engine's.
class KnownRequests {
 public:
  // nullptr where it is not known; until the next place().
  const KnownRequest* find(const Request& request) const {
    const KnownRequest& known = known_[request.serial % known_.size()];
    return request.serial != 0 && known.serial == request.serial && known.peer == request.peer ? &known
                                                                                               : nullptr;
  }
  // Where it may be written down, in whatever was there.
  KnownRequest& place(const Request& request) { return known_[request.serial % known_.size()]; }

 private:
  std::array<KnownRequest, 8> known_;
};

}  // namespace sekisho::policy
