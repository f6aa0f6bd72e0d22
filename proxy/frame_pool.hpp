// Memory of coroutine frames and Asio operations: freed frames are kept per thread and size class, so that a
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
};

// An allocator over FramePool for handlers (Asio asks for it as the handler's associated allocator).
template <class T>
struct FrameAllocator {
  using value_type = T;
  FrameAllocator() = default;
  template <class U>
  FrameAllocator(const FrameAllocator<U>&) noexcept {}
  T* allocate(std::size_t n) { return static_cast<T*>(FramePool::allocate(n * sizeof(T))); }
  void deallocate(T* p, std::size_t n) noexcept { FramePool::release(p, n * sizeof(T)); }
  friend bool operator==(const FrameAllocator&, const FrameAllocator&) noexcept { return true; }
};

}  // namespace sekisho::proxy
