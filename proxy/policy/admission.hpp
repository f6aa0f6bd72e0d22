// What admit decided about one request, and what finish must settle when the exchange is over.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/ip_address.hpp"
#include "proxy/policy/outcome.hpp"
#include "ratelimit/decision.hpp"
#include "ratelimit/key.hpp"

namespace sekisho::policy {

struct LimitState;

// What a request took of one limit's bucket, and when.
struct Charged {
  LimitState* state = nullptr;  // kept alive by the engine that charged it
  ratelimit::Key key;
  ratelimit::Instant at;
};

// Reused from request to request by one connection: reset() keeps the vectors' memory, so that a warm
// exchange allocates nothing. Views point into the request's head or the engine's configuration.
struct Admission {
  Outcome outcome = Outcome::proxied;  // proxied: admitted. probe: answer it as the balancer's probe.
                                       // bad_request: answer 400 and close. Else refused: answer `action`.
  const config::Action* action = nullptr;  // set where refused (host_rejected, limited, banned, blocked)
  config::IpAddress client;                // derived (client_ip)
  bool peer_trusted = false;
  std::string_view
      authority;   // host[:port] that was admitted, as the client wrote it (Host, or absolute-form's)
  int route = -1;  // index, in the file's order, of the route that it goes by; -1: the top level
  std::string_view origin_target;  // path and query byte for byte: the target in origin-form ("*" stays)

  int limit = -1;               // index, in the file's order, of the limit that refused (or whose ban did)
  std::string_view limit_name;  // its name
  std::string key;              // that limit's key as text for the log; header and cookie parts hashed
  // Refused by a rate: its decision, and what RateLimit fields need. By a ban: only retry_after of it holds.
  ratelimit::Decision decision;
  bool show_ratelimit =
      false;  // put RateLimit and RateLimit-Policy on the response (also on a proxied one for `always`)
  bool show_retry_after = false;
  ratelimit::Duration ban_set{};    // the longest ban that this refusal set
  std::uint64_t policy_quota = 0;   // q
  std::uint64_t policy_window = 0;  // w, seconds from empty to full, rounded up
  std::string_view
      policy_name;           // the limit that the RateLimit fields speak of: limit_name, or an admitting one
  std::string shadow_names;  // "hosts,a,b": what would have refused, but for shadow
  std::string target_store;  // backs origin_target where the client wrote none ("http://host?q")
  std::vector<Charged> charged;  // by the rates; emptied by finish or refund

  // What Retry-After tells, where it is shown.
  ratelimit::Duration retry_after() const { return std::max(decision.retry_after, ban_set); }

  void reset();
};

}  // namespace sekisho::policy
