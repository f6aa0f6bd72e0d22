// One connection of the demonstration upstream: reads requests, answers in the shapes that tests and
// benchmarks need. origin.cpp lists them in --help.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

namespace sekisho::bench {

// Serves the connection until it ends, for whatever reason.
boost::asio::awaitable<void> serve_origin(boost::asio::generic::stream_protocol::socket socket);

}  // namespace sekisho::bench
