// The request's body from the client: framing, bounds, and where its bytes are kept until they go on.
#pragma once

#include <cstddef>

#include "proxy/exchange.hpp"
#include "proxy/link.hpp"

namespace sekisho::proxy {

// Sets Exchange::request_body from the head's framing.
void begin_request_body(Exchange& exchange);

// Moves body bytes that have been read (behind the head, or into body_in) into Exchange::body, decoded, and
// its trailers into Exchange::request_trailers, until `body` holds `most` bytes (0: all that is there). Marks
// complete, malformed or too_large; bytes behind the body's end stay where they are. `max_body`:
// client.max_body_bytes, 0 for no bound.
void pull_request_body(Exchange& exchange, Link& client, std::size_t most, std::uint64_t max_body = 0);

}  // namespace sekisho::proxy
