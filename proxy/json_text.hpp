// JSON strings out of bytes that anybody may have sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "proxy/plain_run.hpp"

namespace sekisho::proxy {

namespace json_detail {

// Length of the UTF-8 sequence at the front of `text` (2 to 4), or 0 where it is none (overlong, a surrogate,
// above U+10FFFF, cut short). Sets `code_point`.
inline std::size_t utf8_sequence(std::string_view text, std::uint32_t& code_point) {
  const auto byte = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  const std::size_t length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (length == 0 || text.size() < length) return 0;
  code_point = lead & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0u) != 0x80) return 0;
    code_point = (code_point << 6) | (byte(i) & 0x3fu);
  }
  const bool overlong = (length == 3 && code_point < 0x800) || (length == 4 && code_point < 0x10000);
  const bool surrogate = code_point >= 0xd800 && code_point < 0xe000;
  return overlong || surrogate || code_point > 0x10ffff ? 0 : length;
}

template <class Sink>
void append_escape(Sink& out, std::uint32_t code) {
  constexpr char digits[] = "0123456789abcdef";
  const char escape[] = {'\\',
                         'u',
                         digits[(code >> 12) & 15],
                         digits[(code >> 8) & 15],
                         digits[(code >> 4) & 15],
                         digits[code & 15]};
  out.append(escape, sizeof escape);
}

// Appends what stands for the first character of `text`, which is not plain, and returns its size in `text`.
template <class Sink>
std::size_t append_escaped_front(Sink& out, std::string_view text) {
  const char c = text.front();
  if (c == '"' || c == '\\') {
    const char escape[] = {'\\', c};
    out.append(escape, 2);
    return 1;
  }
  const auto byte = static_cast<std::uint8_t>(c);
  std::uint32_t code = byte;
  const std::size_t length = byte < 0x80 ? 0 : utf8_sequence(text, code);
  if (length == 0) {
    append_escape(out, byte);
    return 1;
  }
  if (code < 0xa0 || code == 0x2028 || code == 0x2029) {
    append_escape(out, code);
  } else {
    out.append(text.data(), length);
  }
  return length;
}

struct EscapedFront {
  char* end;          // of what was written
  std::size_t taken;  // of the text
};

// The same, written to `out`. Apart, since nearly all text is plain.
[[gnu::noinline]] inline EscapedFront write_escaped_front(char* out, std::string_view text) {
  struct Unchecked {
    void append(const char* bytes, std::size_t size) {
      std::memcpy(at, bytes, size);
      at += size;
    }
    char* at;
  } unchecked{out};
  const std::size_t taken = append_escaped_front(unchecked, text);
  return {unchecked.at, taken};
}

}  // namespace json_detail

// Appends the inside of a JSON string to `out` (anything with append(const char*, size_t)). What comes out is
// valid UTF-8 without control characters and without U+0085, U+2028 and U+2029, which some readers take for
// the end of a line. A byte that is no part of valid UTF-8 becomes \u00XX of its value.
template <class Sink>
void append_json_escaped(Sink& out, std::string_view text) {
  while (!text.empty()) {
    const std::size_t run = json_detail::plain_run(text);
    if (run > 0) out.append(text.data(), run);
    text.remove_prefix(run);
    if (!text.empty()) text.remove_prefix(json_detail::append_escaped_front(out, text));
  }
}

// The same, written to `out`, which has room for json_escaped_bound() bytes; returns the end.
constexpr std::size_t json_escaped_bound(std::size_t size) {
  return 6 * size + json_detail::copy_slack;
}

inline char* write_json_escaped(char* out, std::string_view text) {
  for (;;) {
    const std::size_t run = json_detail::copy_plain_run(out, text);
    out += run;
    if (run == text.size()) return out;
    text.remove_prefix(run);
    const json_detail::EscapedFront front = json_detail::write_escaped_front(out, text);
    out = front.end;
    text.remove_prefix(front.taken);
  }
}

// The same between quotes.
template <class Sink>
void append_json_string(Sink& out, std::string_view text) {
  out.append("\"", 1);
  append_json_escaped(out, text);
  out.append("\"", 1);
}

}  // namespace sekisho::proxy
