// The line that a chunk of a body begins with (RFC 9112, 7.1).
#pragma once

#include <charconv>
#include <cstddef>
#include <string_view>

namespace sekisho::proxy {

// Written into `space`, where it stays.
inline std::string_view chunk_header(std::size_t size, char (&space)[20]) {
  char* end = std::to_chars(space, space + 16, size, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  return {space, static_cast<std::size_t>(end - space)};
}

}  // namespace sekisho::proxy
