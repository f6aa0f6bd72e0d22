// A flat buffer of fixed size that a head is written into; one a worker, used up within one step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
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
  void append(std::string_view text) {
    if (char* at = room_for(text.size())) put(at, text);
  }
  void append(char c) {
    if (char* at = room_for(1)) *at = c;
  }
  void append_number(std::uint64_t number);
  void append_hex(std::uint64_t number);
  // What `write` puts at the place it is given, at most `bound` bytes, whose end it returns. Room is asked
  // for once, and only where `bound` does not fit is the text made elsewhere first, to see what it takes.
  template <std::size_t bound, class Write>
  void append_bounded(Write write) {
    if (!overflowed_ && bytes_.size() - size_ >= bound) {
      char* at = bytes_.data() + size_;
      size_ += static_cast<std::size_t>(write(at) - at);
    } else {
      append_copied<bound>(write);
    }
  }
  // "Name: value\r\n"
  void append_field(std::string_view name, std::string_view value) {
    char* at = room_for(name.size() + value.size() + 4);
    if (at == nullptr) return;
    at = put(at, name);
    *at++ = ':';
    *at++ = ' ';
    at = put(at, value);
    *at++ = '\r';
    *at = '\n';
  }

  std::string_view view() const { return {bytes_.data(), size_}; }
  std::size_t size() const { return size_; }
  bool overflowed() const { return overflowed_; }
  std::size_t capacity() const { return bytes_.size(); }

 private:
  template <std::size_t bound, class Write>
  [[gnu::noinline]] void append_copied(Write write) {
    char text[bound];
    append(std::string_view(text, static_cast<std::size_t>(write(text) - text)));
  }
  // Where that many bytes go, which are then written; null past the capacity.
  char* room_for(std::size_t bytes) {
    if (overflowed_ || bytes > bytes_.size() - size_) {
      overflowed_ = true;
      return nullptr;
    }
    char* at = bytes_.data() + size_;
    size_ += bytes;
    return at;
  }
  static char* put(char* at, std::string_view text) {
    if (!text.empty()) std::memcpy(at, text.data(), text.size());
    return at + text.size();
  }

  std::vector<char> bytes_;
  std::size_t size_ = 0;
  bool overflowed_ = false;
};

}  // namespace sekisho::proxy
