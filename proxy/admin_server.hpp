// The HTTP server of the admin port and of the `metrics` address. Runs on the control thread, never on a
// worker.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "config/config.hpp"
#include "proxy/admin_requests.hpp"

namespace sekisho::proxy {

// Bounded in everything that a caller can make it hold: 64 connections (one more closes the one that was
// silent for longest), heads of 16 KiB, bodies of 64 KiB, 10
// s for a call and 30 s between calls. Used on the io_context's thread alone.
class AdminServer {
 public:
  // Listens at once. Throws std::runtime_error that names the address and the reason. `backend` outlives the
  // server.
  AdminServer(boost::asio::io_context& io, const config::Endpoint& listen, AdminScope scope,
              std::string token, AdminBackend& backend);
  // Closes the listener and every connection.
  ~AdminServer();

  // The address in fact bound: "127.0.0.1:9180", "[::1]:9180" or "unix:PATH".
  std::string bound_address() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sekisho::proxy
