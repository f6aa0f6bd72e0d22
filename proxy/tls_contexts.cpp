#include "proxy/tls_contexts.hpp"

namespace sekisho::proxy {

TlsContexts read_tls(const config::Config& config, config::Diagnostics& diagnostics) {
  TlsContexts contexts;
  for (const config::Listener& listener : config.listen) {
    contexts.listeners.push_back(listener.tls.empty() ? nullptr
                                                      : TlsServerContexts::make(listener.tls, diagnostics));
  }
  const config::Upstream* top = config.upstream ? &*config.upstream : nullptr;
  for (const config::Route& route : config.routes) {
    // What a route took over from the top level has its problems told there.
    const bool inherited = top != nullptr && route.upstream.tls.mark == top->tls.mark;
    config::Diagnostics told = diagnostics.fresh();
    contexts.upstreams.push_back(!route.own_servers
                                     ? ServerTls()
                                     : TlsClientContext::make(route.upstream.tls, route.upstream.servers,
                                                              inherited ? told : diagnostics));
  }
  contexts.upstreams.push_back(top == nullptr ? ServerTls()
                                              : TlsClientContext::make(top->tls, top->servers, diagnostics));
  return contexts;
}

}  // namespace sekisho::proxy
