// One connection of the demonstration upstream: reads requests, answers in the shapes that tests and
// benchmarks need.
//
//   /bytes?n=N          N bytes, with Content-Length
//   /chunked?n=N        N bytes in chunks of at most 16 KiB
//   /slow?ms=N          the usual page after N milliseconds
//   /events?count=N&ms=M  an event stream of N events, M milliseconds apart
//   /status/N           an empty answer with that status
//   /fields             the request's head as it came
//   /upload (POST)      {"size": bytes, "crc32": of them}
//   any other POST      the body, up to 1 MiB, as it came
//   Upgrade             101, then every byte comes back
//   anything else       a small HTML page
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

namespace sekisho::bench {

// Serves the connection until it ends, for whatever reason.
boost::asio::awaitable<void> serve_origin(boost::asio::generic::stream_protocol::socket socket);

}  // namespace sekisho::bench
