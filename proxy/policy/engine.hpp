// The policy of one configuration for one worker: who the client is, whether the host is ours, what the
// limits say.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/diagnostics.hpp"
#include "proxy/policy/admission.hpp"
#include "proxy/policy/limit_states.hpp"
#include "proxy/policy/request.hpp"
#include "ratelimit/instant.hpp"

namespace sekisho::policy {

class Trace;  // trace.hpp: what `explain` prints

// Built on the control thread, one for each worker (expressions are compiled per worker: RE2 locks when
// shared), then used by that worker alone. Holds its limits' states alive.
class Engine {
 public:
  // Adds every problem of patterns, networks, hosts, catalogues and keys to `diagnostics`; nullptr when there
  // was an error. `states` must have been prepared from the same config.
  static std::unique_ptr<Engine> compile(std::shared_ptr<const config::Config> config, const LimitSet& states,
                                         unsigned worker, config::Diagnostics& diagnostics);
  ~Engine();

  // route and admit in one: derives the client, recognises the balancer's probe, judges the host, exemptions,
  // bans and limits; charges what must be charged, all or nothing; counts each limit's decision. Allocates
  // nothing once `out` is warm. `wall` is only for the times of bans. `trace`, when given, is told each step;
  // then nothing is charged or counted.
  void admit(const Request& request, ratelimit::Instant now, std::chrono::system_clock::time_point wall,
             Admission& out, Trace* trace = nullptr);

  // Settles what admit left open, once for every admit, whatever happened: limits that wait for the response
  // (on_status) are charged by `status`, which is 0 where the upstream gave none, and places (in_flight) are
  // given back.
  void finish(Admission& admission, unsigned status, ratelimit::Instant now);
  // In place of finish where the exchange goes on as a tunnel, and without this engine: its places stay taken
  // until it ends.
  void detach(Admission& admission, unsigned status, ratelimit::Instant now);

  // finish for an exchange that never reached the upstream through no fault of the client: gives its charges
  // back.
  void refund(Admission& admission, ratelimit::Instant now);

  // For what is refused before admit can run (a bad head): the client derived as far as the head allows.
  bool trusts(const config::IpAddress& peer) const;

 private:
  class Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sekisho::policy
