// Request heads, strict: what RFC 9112 calls ambiguous is refused (docs/decisions/).
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "proxy/message_head.hpp"

namespace sekisho::proxy {

struct HeadLimits {
  std::size_t max_bytes = 80 * 1024;  // request line, fields and the empty line
  std::size_t max_fields = 100;
};

// One a connection. parse() is called with everything received since the last request's end, again each time more came; it
// remembers how far it has looked. No allocation after warm-up.
class RequestParser {
 public:
  RequestParser();
  ~RequestParser();
  // Limits hold from the next reset on.
  void set_limits(const HeadLimits& limits);
  void reset();
  ParseResult parse(std::string_view input, RequestHead& head);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Response heads, as strict. `request_method` decides about the body (RFC 9112, 6.3): HEAD; 1xx, 204, 304 have none.
class ResponseParser {
 public:
  ResponseParser();
  ~ResponseParser();
  void set_limits(const HeadLimits& limits);
  void reset(std::string_view request_method);  // copies what it needs
  ParseResult parse(std::string_view input, ResponseHead& head);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sekisho::proxy
