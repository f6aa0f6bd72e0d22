#include "proxy/block_chain.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace sekisho::proxy {

void BlockChain::append(std::string_view bytes) {
  size_ += bytes.size();
  while (!bytes.empty()) {
    if (back_ == nullptr || back_->end == Block::room) {
      auto* block = new (pool_.take(block_size, true)) Block{nullptr, 0, 0};
      (back_ == nullptr ? front_ : back_->next) = block;
      back_ = block;
    }
    const std::size_t n = std::min(bytes.size(), Block::room - back_->end);
    std::memcpy(back_->bytes() + back_->end, bytes.data(), n);
    back_->end += n;
    bytes.remove_prefix(n);
  }
}

std::size_t BlockChain::peek(std::span<boost::asio::const_buffer> buffers, std::size_t offset) const {
  std::size_t count = 0;
  for (Block* block = front_; block != nullptr && count < buffers.size(); block = block->next) {
    const std::size_t held = block->end - block->begin;
    if (offset >= held) {
      offset -= held;
      continue;
    }
    buffers[count++] = boost::asio::const_buffer(block->bytes() + block->begin + offset, held - offset);
    offset = 0;
  }
  return count;
}

void BlockChain::consume(std::size_t bytes) {
  size_ -= bytes;
  while (bytes > 0 || (front_ != nullptr && front_->begin == front_->end)) {
    const std::size_t n = std::min(bytes, front_->end - front_->begin);
    front_->begin += n;
    bytes -= n;
    if (front_->begin < front_->end) return;
    Block* next = front_->next;
    pool_.give(reinterpret_cast<char*>(front_), block_size);
    front_ = next;
    if (front_ == nullptr) back_ = nullptr;
  }
}

void BlockChain::clear() {
  consume(size_);
}

}  // namespace sekisho::proxy
