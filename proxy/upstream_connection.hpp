// A connection to the upstream: in a pool while idle, in an exchange while it serves one.
#pragma once

#include <memory>

#include "proxy/link.hpp"
#include "proxy/upstream_server.hpp"

namespace sekisho::proxy {

// Holds one of the server's max_connections permits while it lives.
class UpstreamConnection : public Link {
 public:
  UpstreamConnection(BufferPool& pool, std::shared_ptr<UpstreamServer> the_server)
      : Link(pool), server(std::move(the_server)) {}
  ~UpstreamConnection() {
    close();
    if (keeps_permit && server->connections.bounded()) server->connections.release();
  }
  UpstreamConnection(const UpstreamConnection&) = delete;
  UpstreamConnection& operator=(const UpstreamConnection&) = delete;

  std::shared_ptr<UpstreamServer> server;
  bool keeps_permit = true;  // false once its descriptor, permit included, went to another worker
  bool reused = false;       // has served an exchange before
  Instant idle_since{};
};

}  // namespace sekisho::proxy
