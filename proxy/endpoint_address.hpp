// A configured endpoint as Asio takes it.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>

#include "config/config.hpp"

namespace sekisho::proxy {

// Of an address or a UNIX socket's path; a name must be looked up first (upstream_resolver.hpp). Throws
// std::runtime_error where the path is too long for a socket.
boost::asio::generic::stream_protocol::endpoint socket_endpoint(const config::Endpoint& endpoint);

}  // namespace sekisho::proxy
