// A connection to the upstream: in a pool while idle, in an exchange while it serves one.
#pragma once

#include <cstdint>
#include <memory>

#include "proxy/link.hpp"
#include "proxy/slab_pool.hpp"
#include "proxy/upstream_server.hpp"

namespace sekisho::proxy {

// Holds one of the server's max_connections permits while it lives.
class UpstreamConnection final : public Link, public LastsAsConnection {
 public:
  UpstreamConnection(BufferPool& pool, std::shared_ptr<UpstreamServer> the_server)
      : Link(pool), server(std::move(the_server)), addresses(server->addresses()) {}
  ~UpstreamConnection() {
    close();
    if (keeps_permit && server->connections.bounded()) server->connections.release();
  }
  UpstreamConnection(const UpstreamConnection&) = delete;
  UpstreamConnection& operator=(const UpstreamConnection&) = delete;

  // Whether an address went from the server's name since: it serves what it serves, and is not used again.
  bool outdated() const { return addresses != server->addresses(); }

  std::shared_ptr<UpstreamServer> server;
  const std::uint32_t addresses;  // the server's, as the connection was begun
  bool keeps_permit = true;       // false once its descriptor, permit included, went to another worker
  bool reused = false;            // has served an exchange before
  Instant idle_since{};
};

}  // namespace sekisho::proxy
