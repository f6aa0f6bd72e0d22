#include "proxy/upstream.hpp"

#include <algorithm>

namespace sekisho::proxy {

bool Upstream::can_serve() const {
  return std::ranges::any_of(servers, [](const auto& server) { return server->can_serve(); });
}

UpstreamServer* Upstream::choose(std::uint64_t tried, unsigned turn, std::size_t& index) const {
  const std::size_t count = servers.size();
  UpstreamServer* best = nullptr;
  bool best_healthy = false;
  std::int64_t fewest = 0;
  for (std::size_t step = 0; step < count; ++step) {
    const std::size_t i = (turn + step) % count;
    if ((tried >> i & 1) != 0) continue;
    UpstreamServer& server = *servers[i];
    const bool healthy = server.healthy();
    const std::int64_t requests = server.in_flight.load(std::memory_order_relaxed);
    if (best != nullptr && (healthy != best_healthy ? best_healthy : requests >= fewest)) continue;
    best = &server;
    best_healthy = healthy;
    fewest = requests;
    index = i;
  }
  return best;
}

}  // namespace sekisho::proxy
