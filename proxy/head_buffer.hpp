// A flat buffer of fixed size that a head is written into; one a worker, used up within one step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace sekisho::proxy {

// Appends never reallocate: past the capacity they set overflowed() and write nothing more. Not thread-safe.
class HeadBuffer {
 public:
  explicit HeadBuffer(std::size_t capacity) : bytes_(capacity) {}

  void clear() {
    size_ = 0;
    overflowed_ = false;
  }
  void append(std::string_view text);
  void append(char c) { append(std::string_view(&c, 1)); }
  void append_number(std::uint64_t number);
  void append_hex(std::uint64_t number);
  // "Name: value\r\n"
  void append_field(std::string_view name, std::string_view value);

  std::string_view view() const { return {bytes_.data(), size_}; }
  std::size_t size() const { return size_; }
  bool overflowed() const { return overflowed_; }
  std::size_t capacity() const { return bytes_.size(); }

 private:
  std::vector<char> bytes_;
  std::size_t size_ = 0;
  bool overflowed_ = false;
};

}  // namespace sekisho::proxy
