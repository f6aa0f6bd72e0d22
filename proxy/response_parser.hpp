// Response heads of the upstream, as strict as requests: what is ambiguous is a bad answer (502).
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "proxy/message_head.hpp"

namespace sekisho::proxy {

// One an upstream connection; parse() is called as RequestParser's is. `request_method` decides about the
// body (RFC 9112, 6.3): HEAD; 1xx, 204, 304 have none.
class ResponseParser {
 public:
  // How large a head may be, in bytes, where those of clients are bounded by `max_header_bytes`.
  static constexpr std::size_t head_bound(std::size_t max_header_bytes) {
    constexpr std::size_t least = 128 * 1024;
    return max_header_bytes > least ? max_header_bytes : least;
  }

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
