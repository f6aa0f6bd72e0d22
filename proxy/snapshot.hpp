// One configuration as one worker uses it. Immutable but for its engine's scratch; counted without atomics,
// since only that worker touches it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "config/config.hpp"
#include "proxy/policy/engine.hpp"
#include "proxy/upstreams.hpp"

namespace sekisho::proxy {

// Where a request goes, and how long and large it may be.
struct Route {
  std::shared_ptr<Upstream> upstream;
  const config::Upstream* upstream_config = nullptr;
  const config::Client* client_config = nullptr;
};

// Made by the control thread, handed to its worker by Server::apply; freed on that worker when its last
// exchange lets go.
struct Snapshot {
  Snapshot(std::shared_ptr<const config::Config> the_config, std::unique_ptr<policy::Engine> the_engine,
           std::shared_ptr<const Upstreams> the_upstreams, std::uint64_t the_generation);

  // `index` as Admission::route has it.
  const Route& route(int index) const {
    return index < 0 ? routes.back() : routes[static_cast<std::size_t>(index)];
  }

  std::shared_ptr<const config::Config> config;
  std::unique_ptr<policy::Engine> engine;
  std::shared_ptr<const Upstreams> upstreams;
  std::vector<Route> routes;  // the file's, then the top level's
  std::uint64_t generation = 0;
  std::uint32_t references = 0;  // managed by SnapshotRef
};

}  // namespace sekisho::proxy
