// A request's or a response's head as views into the buffer it was read into, and how its body is framed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "proxy/policy/request.hpp"

namespace sekisho::proxy {

using policy::Field;
using policy::FieldId;

// RFC 9112, section 6: where the body ends.
enum class Framing : std::uint8_t {
  none,    // no body
  length,  // content_length bytes
  chunked,
  until_close  // responses only: up to the peer's FIN
};

// Views hold as long as the buffer given to the parser neither moves nor changes.
struct RequestHead {
  std::string_view method;
  std::string_view target;
  unsigned version = 11;      // 10 or 11
  std::vector<Field> fields;  // in order; its memory is kept from request to request
  Framing framing = Framing::none;
  std::uint64_t content_length = 0;
  bool keep_alive = true;        // the client will send another request after this one, and may
  bool last = false;             // the client says that it will not
  bool expect_continue = false;  // Expect: 100-continue from a 1.1 client that has a body to send
  bool upgrade = false;          // Connection names upgrade and Upgrade is there (1.1, no body)
  std::uint64_t serial = 0;      // on one worker, heads of the same are equal byte for byte; 0: not known
};

struct ResponseHead {
  unsigned version = 11;
  unsigned status = 0;
  std::string_view reason;
  std::vector<Field> fields;
  Framing framing = Framing::none;
  std::uint64_t content_length = 0;
  bool keep_alive = true;     // the server will take another request on this connection
  bool event_stream = false;  // Content-Type: text/event-stream
};

// Bounds on one head, beyond which a request is answered 431.
struct HeadLimits {
  std::size_t max_bytes = 80 * 1024;  // request line, fields and the empty line
  std::size_t max_fields = 100;
};

enum class ParseStatus : std::uint8_t { incomplete, complete, failed };

struct ParseResult {
  ParseStatus status = ParseStatus::incomplete;
  std::size_t consumed = 0;   // complete: bytes of the head, leading empty lines included
  unsigned error_status = 0;  // failed: 400, 405, 417, 431, 501 or 505 for a request; 502 for a response
  const char* reason = "";    // failed: static text for the log
};

}  // namespace sekisho::proxy
