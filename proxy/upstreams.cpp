#include "proxy/upstreams.hpp"

#include <algorithm>

namespace sekisho::proxy {
namespace {

std::shared_ptr<UpstreamServer> find(const Upstream& upstream, const std::string& text) {
  const auto at =
      std::ranges::find_if(upstream.servers, [&](const auto& server) { return server->text == text; });
  return at == upstream.servers.end() ? nullptr : *at;
}

bool share_a_server(const config::Upstream& wanted, const Upstream& before) {
  return std::ranges::any_of(
      wanted.servers, [&](const config::Endpoint& server) { return find(before, server.text) != nullptr; });
}

// `before` may be null. A bound cannot come or go while requests hold permits, or hold none that they should:
// those requests keep the old object.
std::shared_ptr<Upstream> make_upstream(const config::Upstream& wanted, const ServerTls& tls,
                                        unsigned workers, const Upstream* before) {
  auto made = std::make_shared<Upstream>();
  if (before != nullptr && before->in_flight->bounded() == (wanted.max_in_flight != 0)) {
    made->in_flight = before->in_flight;
    made->in_flight->set_limit(wanted.max_in_flight);
  } else {
    made->in_flight = std::make_shared<Permits>(wanted.max_in_flight);
  }
  for (std::size_t i = 0; i < wanted.servers.size(); ++i) {
    const std::string& text = wanted.servers[i].text;
    const std::shared_ptr<const TlsClientContext> context = tls.empty() ? nullptr : tls[i];
    std::shared_ptr<UpstreamServer> server = before == nullptr ? nullptr : find(*before, text);
    if (server != nullptr && same_tls(server->tls(), context.get())) {
      server->connections.set_limit(wanted.max_connections);
    } else {
      const auto old = std::move(server);
      server = std::make_shared<UpstreamServer>(text, wanted.max_connections, workers);
      if (context != nullptr) server->set_tls(context);
      // It has the benefit of the doubt until the first check, so that a reload fails no probe.
      if (before != nullptr && before->can_serve()) server->presume_reached();
      if (old != nullptr) server->set_endpoints(old->endpoints());
    }
    made->servers.push_back(std::move(server));
  }
  return made;
}

}  // namespace

const Upstream& Upstreams::main() const {
  return routes.back() != nullptr ? *routes.back() : *routes[routes.size() - 2];
}

std::vector<std::shared_ptr<Upstream>> Upstreams::distinct() const {
  std::vector<std::shared_ptr<Upstream>> all;
  for (const auto& upstream : routes) {
    if (upstream != nullptr && std::ranges::find(all, upstream) == all.end()) all.push_back(upstream);
  }
  return all;
}

std::shared_ptr<const Upstreams> make_upstreams(const config::Config& config,
                                                const std::vector<ServerTls>& tls, unsigned workers,
                                                const Upstreams* before) {
  std::vector<std::shared_ptr<Upstream>> unclaimed;
  std::shared_ptr<Upstream> top;
  if (before != nullptr) {
    unclaimed = before->distinct();
    top = before->routes.back();
  }
  const auto claim = [&](const std::shared_ptr<Upstream>& upstream) {
    unclaimed.erase(std::ranges::find(unclaimed, upstream));
    return upstream;
  };
  const auto tls_of = [&](std::size_t place) { return tls.empty() ? ServerTls() : tls[place]; };
  auto made = std::make_shared<Upstreams>();
  std::shared_ptr<Upstream> made_top;
  if (config.upstream) {
    const auto old = top == nullptr ? nullptr : claim(top);
    made_top = make_upstream(*config.upstream, tls_of(config.routes.size()), workers, old.get());
  }
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    const config::Route& route = config.routes[i];
    if (!route.own_servers) {
      made->routes.push_back(made_top);
      continue;
    }
    const auto at = std::ranges::find_if(
        unclaimed, [&](const auto& upstream) { return share_a_server(route.upstream, *upstream); });
    const auto old = at == unclaimed.end() ? nullptr : claim(*at);
    made->routes.push_back(make_upstream(route.upstream, tls_of(i), workers, old.get()));
  }
  made->routes.push_back(made_top);
  return made;
}

}  // namespace sekisho::proxy
