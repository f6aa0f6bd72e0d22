// Everything of TLS that a configuration asks for, with its files read.
#pragma once

#include <memory>
#include <vector>

#include "config/config.hpp"
#include "config/diagnostics.hpp"
#include "proxy/tls_client_context.hpp"
#include "proxy/tls_server_contexts.hpp"

namespace sekisho::proxy {

// Of one upstream's servers, by place; empty: plain.
using ServerTls = std::vector<std::shared_ptr<const TlsClientContext>>;

struct TlsContexts {
  std::vector<std::shared_ptr<const TlsServerContexts>> listeners;  // by place in `listen`; null: plain
  // By place in `routes`, and then the top level's; empty where a route names no servers of its own.
  std::vector<ServerTls> upstreams;
};

// Adds every problem of every file to `diagnostics`; to be used where none of them is an error.
TlsContexts read_tls(const config::Config& config, config::Diagnostics& diagnostics);

}  // namespace sekisho::proxy
