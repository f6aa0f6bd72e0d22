// A response head as a Rails 6.1 application in production writes it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bench/origin_request.hpp"

namespace sekisho::bench {

// Appends the status line and every field but those of the body's framing and of the connection. `number`: of
// the page, so that tags, cookies and identifiers differ as they would. A request's X-Request-Id comes back,
// as with Rails.
void append_rails_head(std::string& out, int status, const OriginRequest& request, std::uint64_t number);

}  // namespace sekisho::bench
