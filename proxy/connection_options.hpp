// What the Connection fields of one head ask for (RFC 9110, 7.6.1).
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "proxy/message_head.hpp"

namespace sekisho::proxy {

// Views into the fields; allocates nothing.
struct ConnectionOptions {
  static constexpr std::size_t max_names = 32;

  bool close = false;
  bool keep_alive = false;
  bool upgrade = false;
  // Why the parsers refuse such a head: no list of tokens, in Proxy-Connection too, or more names than fit.
  const char* error = nullptr;
  std::size_t name_count = 0;
  union {                                           // not cleared: nearly every head names none
    std::array<std::string_view, max_names> names;  // of other fields, which end at this hop
  };

  explicit ConnectionOptions(std::span<const Field> fields);
  bool names_field(std::string_view name) const;
};

// Whether a 101 with these fields names a protocol, and none that the request did not ask for (RFC
// 9110, 7.8).
bool switches_as_asked(std::span<const Field> request, std::span<const Field> response);

}  // namespace sekisho::proxy
