// Response heads of the upstream, as strict as requests: what is ambiguous is a bad answer (502).
#pragma once

#include <memory>
#include <string_view>

#include "proxy/message_head.hpp"

namespace sekisho::proxy {

// One an upstream connection; parse() is called as RequestParser's is. `request_method` decides about the
// body (RFC 9112, 6.3): HEAD; 1xx, 204, 304 have none.
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
