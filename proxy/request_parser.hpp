// Request heads, strict: what RFC 9112 calls ambiguous is refused (docs/decisions/).
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "proxy/message_head.hpp"

namespace sekisho::proxy {

// One a connection. parse() is called with everything received since the last request's end, again each time
// more came; it remembers how far it has looked. No allocation after warm-up.
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

}  // namespace sekisho::proxy
