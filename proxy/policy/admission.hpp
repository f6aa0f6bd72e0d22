// What admit decided about one request, and what finish must settle when the exchange is over.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/ip_address.hpp"
#include "proxy/policy/outcome.hpp"
#include "ratelimit/decision.hpp"
#include "ratelimit/in_flight.hpp"
#include "ratelimit/key.hpp"

namespace sekisho::policy {

struct CompiledLimit;
struct LimitState;

// What a request took of one limit's bucket, and when.
struct Charged {
  LimitState* state = nullptr;  // kept alive by the engine that charged it
  ratelimit::Key key;
  ratelimit::Instant at;
};

// What a limit with on_status charges once the response has one of its codes.
struct ChargedLate {
  const CompiledLimit* limit = nullptr;  // the engine's
  ratelimit::Key key;
  ratelimit::Key path_key;  // of that key and path, where paths are charged once
};

// A request's place among those of one key in progress.
struct HeldPlace {
  const LimitState* state = nullptr;                 // kept alive by the engine that gave it
  std::shared_ptr<ratelimit::InFlight> counts = {};  // once it outlives that (Engine::detach)
  ratelimit::Lease lease;                            // last: given back before its counts may go
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
  // The usual reading of the path (path_readings.hpp), cut at `longest_path`; empty for a probe.
  static constexpr std::size_t longest_path = 128;
  std::string path;
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
  ratelimit::Duration delay{};   // admitted, but its turn comes only after this (from the moment of admit)
  std::vector<Charged> charged;  // by the rates; emptied by finish or refund
  std::vector<ChargedLate> charged_late;  // by finish
  // Given back by whoever ends the exchange, or with this; before the engine goes, or detach was called.
  std::vector<HeldPlace> places;

  // Refused, but the answer is to be held back first.
  bool tarpit() const { return action != nullptr && action->kind == config::Action::Kind::tarpit; }
  // What Retry-After tells, where it is shown.
  ratelimit::Duration retry_after() const { return std::max(decision.retry_after, ban_set); }

  void reset();
};

}  // namespace sekisho::policy
