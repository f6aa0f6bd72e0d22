// A ring of bytes with one writer and one reader; neither ever waits for the other.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace sekisho::proxy {

// The same pages are mapped twice, one copy behind the other, so that free space and content are always one
// contiguous span: a line is formatted in place and never wraps. writable() and commit() belong to the
// writer, readable() and consume() to the reader; what commit() published is seen whole by the reader.
class ByteRing {
 public:
  // `capacity` is rounded up to whole pages. Throws std::system_error where the memory cannot be had.
  explicit ByteRing(std::size_t capacity);
  ~ByteRing();
  ByteRing(const ByteRing&) = delete;
  ByteRing& operator=(const ByteRing&) = delete;

  std::size_t capacity() const { return capacity_; }

  // All that is free now.
  std::span<char> writable() {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    return {base_ + offset(tail),
            capacity_ - static_cast<std::size_t>(tail - head_.load(std::memory_order_acquire))};
  }
  // Publishes the first `n` bytes of writable().
  void commit(std::size_t n) {
    tail_.store(tail_.load(std::memory_order_relaxed) + n, std::memory_order_release);
  }

  // All that was committed and not yet consumed.
  std::string_view readable() const {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    return {base_ + offset(head), static_cast<std::size_t>(tail_.load(std::memory_order_acquire) - head)};
  }
  // Frees the first `n` bytes of readable().
  void consume(std::size_t n) {
    head_.store(head_.load(std::memory_order_relaxed) + n, std::memory_order_release);
  }

 private:
  std::size_t offset(std::uint64_t position) const { return static_cast<std::size_t>(position % capacity_); }

  char* base_ = nullptr;
  std::size_t capacity_ = 0;
  // Positions since the start; their difference never exceeds the capacity.
  alignas(64) std::atomic<std::uint64_t> head_{0};
  alignas(64) std::atomic<std::uint64_t> tail_{0};
};

}  // namespace sekisho::proxy
