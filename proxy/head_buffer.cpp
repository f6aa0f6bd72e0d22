#include "proxy/head_buffer.hpp"

#include <charconv>

namespace sekisho::proxy {

void HeadBuffer::append_number(std::uint64_t number) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  append(std::string_view(digits, static_cast<std::size_t>(end - digits)));
}

void HeadBuffer::append_hex(std::uint64_t number) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, number, 16).ptr;
  append(std::string_view(digits, static_cast<std::size_t>(end - digits)));
}

}  // namespace sekisho::proxy
