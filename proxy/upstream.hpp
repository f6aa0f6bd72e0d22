// One upstream of the configuration: the servers that requests are shared among, and the bound on them all.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "proxy/permits.hpp"
#include "proxy/upstream_server.hpp"

namespace sekisho::proxy {

// Immutable; made anew by each reload over the servers and permits that go on. Thread-safe as those are.
struct Upstream {
  std::vector<std::shared_ptr<UpstreamServer>> servers;
  std::shared_ptr<Permits> in_flight;  // max_in_flight; unbounded when 0

  // Whether any server was once reached and still is.
  bool can_serve() const;
  bool several() const { return servers.size() > 1; }

  // The healthy server with the fewest requests (the ill ones, where none is healthy), of those whose bit in
  // `tried` is not set (config::most_servers fit in); nullptr when all are. Where several have as few, `turn`
  // says which, so that an idle upstream's servers get their requests in turn.
  UpstreamServer* choose(std::uint64_t tried, unsigned turn, std::size_t& index) const;
};

}  // namespace sekisho::proxy
