// What must arrive, as the wire cases write it: bytes with escapes, `...` for the rest of a line, and short
// names in braces for what Sekisho writes in many of them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sekisho::test {

// \r \n \t \s (space) \\ \xHH. Throws std::runtime_error.
std::string unescape(std::string_view text);

// The inverse, for messages.
std::string escape(std::string_view bytes);

// Stands in a compiled pattern for any bytes of one line. No case's bytes hold this one: 0xfe is no UTF-8,
// and those that need it in what arrives write `...`.
inline constexpr char any_of_line = '\xfe';

// Unescapes, and puts in what the names in braces stand for. Throws std::runtime_error.
std::string compile_pattern(std::string_view text);

struct Match {
  enum class Result { yes, no, more };  // more: right so far, but the bytes end too early
  Result result = Result::no;
  std::size_t size = 0;  // yes: bytes that the pattern covers. no: bytes up to where they part
};

Match match(std::string_view pattern, std::string_view bytes);

}  // namespace sekisho::test
