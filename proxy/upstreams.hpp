// All upstreams of one configuration, and what goes on of them over a reload.
#pragma once

#include <memory>
#include <vector>

#include "config/config.hpp"
#include "proxy/tls_contexts.hpp"
#include "proxy/upstream.hpp"

namespace sekisho::proxy {

// By place: routes[i] is where the i-th route's requests go, the last entry where those of no route go (null
// where the file has no top-level upstream: the last route matches everything then). A route whose upstream
// names no servers shares the top-level one's.
struct Upstreams {
  std::vector<std::shared_ptr<Upstream>> routes;

  // The upstream by which readiness is told: the top-level one, else the last route's.
  const Upstream& main() const;
  // Each once.
  std::vector<std::shared_ptr<Upstream>> distinct() const;
};

// Makes the upstreams of `config`; `tls` as TlsContexts has it, or empty where all are plain. A server that
// `before` (which may be null) had in the corresponding upstream goes on as the same object with its bounds
// moved, so that connections, permits and health go on; two upstreams correspond where both are the top-level
// one, or else where they share a server. One that is spoken to by another TLS than before is a new one.
std::shared_ptr<const Upstreams> make_upstreams(const config::Config& config,
                                                const std::vector<ServerTls>& tls, unsigned workers,
                                                const Upstreams* before);

}  // namespace sekisho::proxy
