#include "proxy/head_buffer.hpp"

#include <fmt/format.h>

#include <charconv>

namespace sekisho::proxy {

void HeadBuffer::append_number(std::uint64_t number) {
  const fmt::format_int digits(number);
  append(std::string_view(digits.data(), digits.size()));
}

void HeadBuffer::append_hex(std::uint64_t number) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, number, 16).ptr;
  append(std::string_view(digits, static_cast<std::size_t>(end - digits)));
}

}  // namespace sekisho::proxy
