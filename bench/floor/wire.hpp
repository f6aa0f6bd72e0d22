// The least of HTTP/1.1 that a relay cannot do without: where a head ends, and how long the body after it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sekisho::bench::floor {

struct Head {
  std::size_t size = 0;  // with its empty line; 0 while that has not come
  std::uint64_t content_length = 0;
  bool close = false;        // Connection: close
  std::size_t close_at = 0;  // where that value stands
};

// What stands at the front of `bytes`.
Head read_head(std::string_view bytes);

// The number after "?n=" in a head's first line: how long a body the sender asks for.
std::uint64_t bytes_asked_for(std::string_view head);

}  // namespace sekisho::bench::floor
