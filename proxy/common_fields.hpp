// Fields that both a forwarded response and an answer of Sekisho's own may carry.
#pragma once

#include <cstdint>

#include "proxy/head_buffer.hpp"
#include "proxy/policy/admission.hpp"

namespace sekisho::proxy {

// "HTTP/1.1 STATUS REASON\r\n".
void append_status_line(HeadBuffer& out, unsigned status, std::string_view reason);
// With the status's own reason phrase.
void append_status_line(HeadBuffer& out, unsigned status);

// Date in the form of RFC 9110, 5.6.7; `seconds` since the epoch.
void append_date(HeadBuffer& out, std::int64_t seconds);

// RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-11), where the admission shows them.
void append_ratelimit(HeadBuffer& out, const policy::Admission& admission);

// Connection, where the client must be told: close, keep-alive to HTTP/1.0, and upgrade.
void append_connection(HeadBuffer& out, unsigned client_version, bool keep_alive, bool upgrade);

// Whole seconds, rounded up.
std::uint64_t round_up_to_seconds(ratelimit::Duration duration);

}  // namespace sekisho::proxy
