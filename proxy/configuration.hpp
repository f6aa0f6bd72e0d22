// A configuration from its file to what the workers run: read, judged whole, and only then handed on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/diagnostics.hpp"
#include "proxy/listener.hpp"
#include "proxy/policy/limit_states.hpp"
#include "proxy/snapshot.hpp"
#include "proxy/tls_contexts.hpp"
#include "ratelimit/instant.hpp"

namespace sekisho::proxy {

// What reading a source came to. `config` is null where there is an error; the policy's problems are found
// then too, so that one run tells them all.
struct ReadConfiguration {
  std::shared_ptr<const config::Config> config;
  config::Diagnostics diagnostics;
  TlsContexts tls;

  // "FILE:LINE:COL: message", one a line, by place.
  std::string errors() const;
  std::vector<std::string> warnings() const;
};

// Reads `source` (a path, env:NAME or -). client.max_connections is clamped, with a warning, to what
// `descriptors` allow. What differs from `running`, where there is one, and cannot change while running is an
// error like any other.
ReadConfiguration read_configuration(const std::string& source, std::uint64_t descriptors,
                                     const config::Config* running = nullptr);

// Everything that can fail is done; what is left is to hand it out.
struct PreparedConfiguration {
  std::shared_ptr<const config::Config> config;
  policy::LimitSet limits;
  std::vector<std::unique_ptr<policy::Engine>> engines;  // by worker
  std::vector<ListenerState> listeners;
  std::vector<ServerTls> upstream_tls;  // as TlsContexts has it
};

// Takes the tables' memory and compiles the policy once for each worker. False, with the problems in `read`,
// where it cannot be; nothing in use is changed.
bool prepare_configuration(ReadConfiguration& read, policy::LimitStates& states, unsigned workers,
                           ratelimit::Instant now, PreparedConfiguration& prepared);

}  // namespace sekisho::proxy
