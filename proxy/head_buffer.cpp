#include "proxy/head_buffer.hpp"

#include <charconv>
#include <cstring>

namespace sekisho::proxy {

namespace {

char* put(char* at, std::string_view text) {
  if (!text.empty()) std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

}  // namespace

void HeadBuffer::append(std::string_view text) {
  if (overflowed_ || text.size() > bytes_.size() - size_) {
    overflowed_ = true;
    return;
  }
  put(bytes_.data() + size_, text);
  size_ += text.size();
}

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

void HeadBuffer::append_field(std::string_view name, std::string_view value) {
  const std::size_t needed = name.size() + value.size() + 4;
  if (overflowed_ || needed > bytes_.size() - size_) {
    overflowed_ = true;
    return;
  }
  char* at = put(bytes_.data() + size_, name);
  at = put(at, ": ");
  at = put(at, value);
  put(at, "\r\n");
  size_ += needed;
}

}  // namespace sekisho::proxy
