// Where a connection reads to: contiguous and not moved while a head's views point into it.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>

#include "proxy/buffer_pool.hpp"

namespace sekisho::proxy {

// Bytes [begin, end) are unread. Holds memory of the pool only while it needs to.
class InputBuffer {
 public:
  explicit InputBuffer(BufferPool& pool) : pool_(pool) {}
  ~InputBuffer() { release(); }
  InputBuffer(const InputBuffer&) = delete;
  InputBuffer& operator=(const InputBuffer&) = delete;

  std::string_view unread() const { return {data_ + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }
  bool full() const { return begin_ == 0 && end_ == capacity_ && capacity_ > 0; }
  std::span<char> space() { return {data_ + end_, capacity_ - end_}; }
  void filled(std::size_t n) { end_ += n; }
  void consume(std::size_t n) { begin_ += n; }

  // Makes room for at least one more byte (an empty buffer gets `first_size` or more), by rewinding, moving
  // the unread bytes to the front, or growing to at most `most` bytes. Views into the buffer are void
  // afterwards. False when it is as large as it may be, and full.
  bool make_room(std::size_t first_size, std::size_t most) {
    if (begin_ == end_) {
      begin_ = end_ = 0;
      if (capacity_ < first_size) release();
    }
    if (data_ == nullptr) {
      capacity_ = BufferPool::size_for(first_size);
      data_ = pool_.take(capacity_, true);
      return true;
    }
    if (end_ < capacity_) return true;
    if (begin_ > 0) {
      std::memmove(data_, data_ + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
      return true;
    }
    if (capacity_ >= most) return false;
    grow(capacity_ * 2);
    return true;
  }

  // For an empty one: `usual` bytes, or past the buffers' total the few that keep a body moving.
  void make_room_to_flow(std::size_t usual) {
    const std::size_t size = pool_.has_room(usual) ? usual : BufferPool::smallest;
    if (capacity_ > size) release();
    make_room(size, size);
  }

  // Puts bytes in front of everything unread (what was read too far and belongs to the next message).
  void prepend(std::string_view bytes) {
    const std::size_t held = end_ - begin_;
    const std::size_t wanted = BufferPool::size_for(held + bytes.size() + 1);
    char* fresh = pool_.take(wanted, true);
    std::memcpy(fresh, bytes.data(), bytes.size());
    if (held > 0) std::memcpy(fresh + bytes.size(), data_ + begin_, held);
    release();
    data_ = fresh;
    capacity_ = wanted;
    end_ = bytes.size() + held;
  }

  // Gives the memory back; whatever was unread is gone.
  void release() {
    if (data_ != nullptr) pool_.give(data_, capacity_);
    data_ = nullptr;
    capacity_ = begin_ = end_ = 0;
  }
  bool holds_memory() const { return data_ != nullptr; }
  std::size_t capacity() const { return capacity_; }

 private:
  void grow(std::size_t size) {
    char* larger = pool_.take(size, true);
    std::memcpy(larger, data_, end_);
    pool_.give(data_, capacity_);
    data_ = larger;
    capacity_ = size;
  }

  BufferPool& pool_;
  char* data_ = nullptr;
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
};

}  // namespace sekisho::proxy
