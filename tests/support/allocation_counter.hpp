// Counts every operator new of the binary that includes it, in exactly one of its files.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace sekisho::test {

inline std::atomic<std::uint64_t> allocations{0};

inline void* counted(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* block = std::malloc(size)) return block;
  throw std::bad_alloc();
}

}  // namespace sekisho::test

// All forms that do not come down to another.
void* operator new(std::size_t size) {
  return sekisho::test::counted(size);
}
void* operator new[](std::size_t size) {
  return sekisho::test::counted(size);
}
void operator delete(void* block) noexcept {
  std::free(block);
}
void operator delete[](void* block) noexcept {
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
  std::free(block);
}
void operator delete[](void* block, std::size_t) noexcept {
  std::free(block);
}
