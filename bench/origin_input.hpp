// The bytes of one connection that have come and are not yet used.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace sekisho::bench {

// A block that only grows, and never sets a byte to zero before it is read into.
class OriginInput {
 public:
  bool empty() const { return first_ == last_; }
  // Until bytes are added or dropped.
  std::string_view text() const { return {block_.get() + first_, last_ - first_}; }

  void drop(std::size_t bytes) {
    first_ += bytes;
    if (first_ == last_) first_ = last_ = 0;
  }

  // Where at least a byte more can be read into; `wanted`, where the block has to grow for it.
  std::span<char> make_room(std::size_t wanted) {
    const std::size_t used = last_ - first_;
    if (size_ < std::max(wanted, used + 1)) {
      size_ = std::max(wanted, 2 * used);
      auto larger = std::make_unique_for_overwrite<char[]>(size_);
      if (used > 0) std::memcpy(larger.get(), block_.get() + first_, used);
      block_ = std::move(larger);
    } else if (first_ > 0) {
      std::memmove(block_.get(), block_.get() + first_, used);
    }
    first_ = 0;
    last_ = used;
    return {block_.get() + last_, size_ - last_};
  }
  void add(std::size_t bytes) { last_ += bytes; }

 private:
  std::unique_ptr<char[]> block_;
  std::size_t size_ = 0, first_ = 0, last_ = 0;
};

}  // namespace sekisho::bench
