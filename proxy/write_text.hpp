// Constant pieces and numbers, written to a place that has room for them. Each function returns the end of
// what it wrote.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace sekisho::proxy {

// What the largest number takes.
constexpr std::size_t decimal_size = 20;

namespace detail {

constexpr std::array<char, 200> make_digit_pairs() {
  std::array<char, 200> pairs{};
  for (std::size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}

inline constexpr std::array<char, 200> digit_pairs = make_digit_pairs();

}  // namespace detail

template <std::size_t size>
char* write_literal(char* out, const char (&text)[size]) {
  std::memcpy(out, text, size - 1);
  return out + size - 1;
}

// Two digits of a number below 100.
inline char* write_two_digits(char* out, std::uint64_t number) {
  std::memcpy(out, detail::digit_pairs.data() + 2 * number, 2);
  return out + 2;
}

inline char* write_decimal(char* out, std::uint64_t number);

namespace detail {

// Apart, so that the short way below is inlined without a call of itself.
[[gnu::noinline]] inline char* write_long_decimal(char* out, std::uint64_t number) {
  out = write_decimal(out, number / 10'000);
  const std::uint64_t rest = number % 10'000;
  return write_two_digits(write_two_digits(out, rest / 100), rest % 100);
}

}  // namespace detail

// As std::to_chars; `out` has room for decimal_size bytes. Most numbers of a head or a log line have one to
// four digits: those come first, and a longer one takes four at a time.
inline char* write_decimal(char* out, std::uint64_t number) {
  if (number < 10) {
    *out = static_cast<char>('0' + number);
    return out + 1;
  }
  if (number < 100) return write_two_digits(out, number);
  if (number >= 10'000) return detail::write_long_decimal(out, number);
  const std::uint64_t hundreds = number / 100;
  if (number < 1000) {
    *out++ = static_cast<char>('0' + hundreds);
  } else {
    out = write_two_digits(out, hundreds);
  }
  return write_two_digits(out, number % 100);
}

}  // namespace sekisho::proxy
