// JSON strings out of bytes that anybody may have sent.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

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

// Printable ASCII other than the quote and the backslash stands for itself.
constexpr bool plain(char c) {
  return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

// Where the first byte of `text` from `i` on stands that does not, or its end. Eight at once: what flags a
// byte may flag one above it, too, by a borrow, never one below, so the lowest flag is true.
inline std::size_t skip_plain(std::string_view text, std::size_t i) {
  if constexpr (std::endian::native == std::endian::little) {
    constexpr std::uint64_t ones = 0x0101010101010101U;
    const auto equal = [](std::uint64_t word, std::uint64_t byte) {
      const std::uint64_t zero_there = word ^ (ones * byte);
      return (zero_there - ones) & ~zero_there;
    };
    while (text.size() - i >= 8) {
      std::uint64_t word;
      std::memcpy(&word, text.data() + i, 8);
      const std::uint64_t below = (word - ones * 0x20) & ~word;
      const std::uint64_t flags =
          (word | below | equal(word, 0x7f) | equal(word, '"') | equal(word, '\\')) & (ones * 0x80);
      if (flags != 0) return i + static_cast<std::size_t>(std::countr_zero(flags)) / 8;
      i += 8;
    }
  }
  while (i < text.size() && plain(text[i])) ++i;
  return i;
}

}  // namespace json_detail

// Appends the inside of a JSON string to `out` (anything with append(const char*, size_t)). What comes out is
// valid UTF-8 without control characters and without U+0085, U+2028 and U+2029, which some readers take for
// the end of a line. A byte that is no part of valid UTF-8 becomes \u00XX of its value.
template <class Sink>
void append_json_escaped(Sink& out, std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const std::size_t start = i;
    i = json_detail::skip_plain(text, i);
    if (i > start) out.append(text.data() + start, i - start);
    if (i == text.size()) return;
    const char c = text[i];
    if (c == '"' || c == '\\') {
      const char escape[] = {'\\', c};
      out.append(escape, 2);
      ++i;
      continue;
    }
    const auto byte = static_cast<std::uint8_t>(c);
    std::uint32_t code = byte;
    const std::size_t length = byte < 0x80 ? 0 : json_detail::utf8_sequence(text.substr(i), code);
    if (length == 0) {
      json_detail::append_escape(out, byte);
      ++i;
    } else {
      if (code < 0xa0 || code == 0x2028 || code == 0x2029) {
        json_detail::append_escape(out, code);
      } else {
        out.append(text.data() + i, length);
      }
      i += length;
    }
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
