// Memory of coroutine frames: freed frames are kept per thread and size class, so that a
// warm worker allocates nothing.
#pragma once

#include <cstddef>

namespace sekisho::proxy {

// Thread-local free lists. A block must be freed on a thread that lives on; blocks of a thread that ends are
// given back.
class FramePool {
 public:
  static void* allocate(std::size_t size);
  static void release(void* block, std::size_t size) noexcept;
  // Gives back blocks that this thread has not needed since the last call; the worker's tick.
  static void trim() noexcept;
};

}  // namespace sekisho::proxy
