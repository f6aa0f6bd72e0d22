// Zeroed memory straight from the kernel, present before it is used.
#pragma once

#include <cstddef>

namespace sekisho::ratelimit {

// Owns one private anonymous mapping, in huge pages where they help. Every page is faulted in by the
// constructor, so a shortage shows at start and not under attack. Not thread-safe; immovable.
class Pages {
 public:
  // Throws std::bad_alloc.
  explicit Pages(std::size_t bytes);
  ~Pages();
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  void* data() const { return data_; }
  std::size_t mapped_bytes() const { return mapped_; }

 private:
  void* data_ = nullptr;
  std::size_t mapped_ = 0;
};

}  // namespace sekisho::ratelimit
