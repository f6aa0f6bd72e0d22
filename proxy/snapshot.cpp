#include "proxy/snapshot.hpp"

namespace sekisho::proxy {

Snapshot::Snapshot(std::shared_ptr<const config::Config> the_config,
                   std::unique_ptr<policy::Engine> the_engine, std::shared_ptr<const Upstreams> the_upstreams,
                   std::uint64_t the_generation)
    : config(std::move(the_config)),
      engine(std::move(the_engine)),
      upstreams(std::move(the_upstreams)),
      generation(the_generation) {
  for (std::size_t i = 0; i < config->routes.size(); ++i) {
    const config::Route& route = config->routes[i];
    routes.push_back({upstreams->routes[i], &route.upstream, &route.client});
  }
  // Without a top-level upstream the last route matches everything, and this one is never asked for.
  if (config->upstream) routes.push_back({upstreams->routes.back(), &*config->upstream, &config->client});
}

}  // namespace sekisho::proxy
