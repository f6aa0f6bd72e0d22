#include "proxy/head_buffer.hpp"

#include <charconv>

#include "proxy/write_text.hpp"

namespace sekisho::proxy {

void HeadBuffer::append_number(std::uint64_t number) {
  append_bounded<decimal_size>([number](char* out) { return write_decimal(out, number); });
}

void HeadBuffer::append_hex(std::uint64_t number) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, number, 16).ptr;
  append(std::string_view(digits, static_cast<std::size_t>(end - digits)));
}

}  // namespace sekisho::proxy
