// Where in which file a value stood.
#pragma once

#include <cstdint>

namespace sekisho::config {

// `file` indexes Diagnostics::files(); lines and columns count from 1; line 0 means "nowhere" (a default).
struct Mark {
  std::uint16_t file = 0;
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  friend bool operator==(const Mark&, const Mark&) = default;
};

// A value that remembers where it was written, so that whoever judges it later can say where.
template <class T>
struct Located {
  T value{};
  Mark mark{};
};

}  // namespace sekisho::config
