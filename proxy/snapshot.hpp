// One configuration as one worker uses it. Immutable but for its engine's scratch; counted without atomics,
// since only that worker touches it.
#pragma once

#include <cstdint>
#include <memory>

#include "config/config.hpp"
#include "proxy/policy/engine.hpp"
#include "proxy/upstream_shared.hpp"

namespace sekisho::proxy {

// Made by the control thread, handed to its worker by Server::apply; freed on that worker when its last
// exchange lets go.
struct Snapshot {
  std::shared_ptr<const config::Config> config;
  std::unique_ptr<policy::Engine> engine;
  std::shared_ptr<UpstreamShared>
      upstream;  // the same object as before when the server's text did not change
  std::uint64_t generation = 0;
  std::uint32_t references = 0;  // managed by SnapshotRef
};

}  // namespace sekisho::proxy
