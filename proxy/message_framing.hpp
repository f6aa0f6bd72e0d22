// Content-Length and Transfer-Encoding of one head, and whether they agree on where the body ends (RFC 9112,
// 6).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "proxy/message_head.hpp"

namespace sekisho::proxy {

struct DeclaredFraming {
  bool chunked = false;
  bool has_length = false;
  std::uint64_t length = 0;
  const char* error = nullptr;  // static text; nullptr: the fields agree
};

// Strict: one Content-Length of digits alone, or one Transfer-Encoding that is exactly `chunked` in HTTP/1.1,
// or neither.
DeclaredFraming declared_framing(std::span<const Field> fields, unsigned version);

}  // namespace sekisho::proxy
