// Bytes that wait for a slower side: a queue of pooled blocks.
#pragma once

#include <boost/asio/buffer.hpp>
#include <cstddef>
#include <span>
#include <string_view>

#include "proxy/buffer_pool.hpp"

namespace sekisho::proxy {

// Bytes go in at the back and out at the front. One worker's.
class BlockChain {
 public:
  static constexpr std::size_t block_size = 16 * 1024;

  explicit BlockChain(BufferPool& pool) : pool_(pool) {}
  ~BlockChain() { clear(); }
  BlockChain(const BlockChain&) = delete;
  BlockChain& operator=(const BlockChain&) = delete;

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Copies in; takes blocks even past the total (callers stop reading long before).
  void append(std::string_view bytes);
  // Up to `most` buffers from `offset` bytes after the front; returns how many were filled in.
  std::size_t peek(std::span<boost::asio::const_buffer> buffers, std::size_t offset = 0) const;
  void consume(std::size_t bytes);
  void clear();

 private:
  struct Block {
    Block* next;
    std::size_t begin, end;
    char* bytes() { return reinterpret_cast<char*>(this + 1); }
    static constexpr std::size_t room = block_size - 3 * sizeof(std::size_t);
  };

  BufferPool& pool_;
  Block* front_ = nullptr;
  Block* back_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace sekisho::proxy
