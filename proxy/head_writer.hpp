// The heads that go out: to the upstream, to the client, and Sekisho's own answers. Field rules:
// docs/configuration.md, "What the upstream gets" and "What the client gets".
#pragma once

#include <cstdint>
#include <string_view>

#include "proxy/head_buffer.hpp"
#include "proxy/message_head.hpp"
#include "proxy/policy/admission.hpp"

namespace sekisho::proxy {

// What the upstream is told about the client's side.
struct Forwarding {
  bool listener_tls = false;
  std::uint16_t listener_port = 0;  // 0: a UNIX socket; then no X-Forwarded-Port of ours
  std::string_view request_id;      // the one kept or made by choose_request_id
  std::int64_t start_ms = 0;        // wall clock, when the head was complete: X-Request-Start t=SECONDS.mmm
  Framing framing = Framing::none;  // of the body as it will be sent: none, length or chunked
  std::uint64_t content_length = 0;
};

// Origin-form request head with the canonical forwarding fields; hop-by-hop fields, those Connection names
// and the spoofable ones are left out (every spelling with underscores too). An upgrade keeps Connection:
// Upgrade and Upgrade; a body that goes chunked keeps Trailer.
void write_request_head(HeadBuffer& out, const RequestHead& head, const policy::Admission& admission,
                        const Forwarding& forwarding);

// The client's X-Request-Id when it is 1 to 128 of [A-Za-z0-9._-], else 32 hex digits of `random` written to
// `scratch`.
std::string_view choose_request_id(const RequestHead& head, const std::uint64_t (&random)[2],
                                   char (&scratch)[32]);

struct ResponseOptions {
  unsigned client_version = 11;
  bool keep_alive = true;           // towards the client
  Framing framing = Framing::none;  // towards the client
  std::uint64_t content_length = 0;
  std::int64_t date = 0;  // seconds since the epoch; a Date is added where the upstream sent none
  bool upgraded = false;  // 101: keep Connection and Upgrade
};

// The upstream's response head for the client; Trailer stays where the body is chunked on both sides.
// RateLimit fields are added where the admission shows them.
void write_response_head(HeadBuffer& out, const ResponseHead& head, const policy::Admission& admission,
                         const ResponseOptions& options);

// A 1xx other than 101, passed on.
void write_interim_head(HeadBuffer& out, const ResponseHead& head);

struct LocalAnswer {
  unsigned status = 500;
  bool keep_alive = true;
  bool head_request = false;  // no body, but its Content-Length
  bool prefers_json = false;  // application/problem+json (RFC 9457)
  std::int64_t date = 0;
  std::uint64_t retry_after = 0;  // seconds; 0: none (a refusal's comes of its admission)
  std::string_view body;          // empty: a line of text that names the status
  std::string_view content_type;  // empty: text/plain for a given body, by prefers_json for a generated one
  unsigned client_version = 11;   // a 1.0 client is told that its connection is kept
};

// One of Sekisho's own answers: Cache-Control: no-store, Content-Length, and from `admission` (may be
// nullptr) Retry-After and RateLimit. A generated body comes with it; a given one, which may be larger than
// any head, is the caller's to send after it.
void write_local_answer(HeadBuffer& out, const LocalAnswer& answer, const policy::Admission* admission);

// Whether the client asks for JSON (Accept prefers it to HTML and text) or sent it.
bool prefers_json(const RequestHead& head);

std::string_view reason_phrase(unsigned status);

}  // namespace sekisho::proxy
