// Which fields of a head end at this hop.
#pragma once

#include "proxy/message_head.hpp"

namespace sekisho::proxy {

// Whether a client's field never reaches the upstream as it is: hop-by-hop, set by Sekisho itself, part of
// the framing, or one of those by which an application can be lied to about where a request came from. A name
// with underscores counts as the same name with hyphens, because CGI-style servers (puma and all of Rack)
// make one variable of both.
bool ends_before_upstream(const Field& field);

// Whether an upstream's field never reaches the client as it is: hop-by-hop, or part of the framing.
bool ends_before_client(const Field& field);

}  // namespace sekisho::proxy
