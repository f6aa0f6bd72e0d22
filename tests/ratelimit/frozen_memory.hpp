// Memory that can be made read-only as a whole, and locks that are counted: for one binary that replaces
// operator new, mmap and the lock of a mutex, in exactly one of its files.
#pragma once

#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace sekisho::test {

// While collecting, every operator new and every mapping is taken note of; freeze() makes all that was
// collected read-only. Any store to it then ends the process. One thread.
class FrozenMemory {
 public:
  static void collect(bool on) { collecting = on; }
  static void freeze() { protect(PROT_READ); }
  static void thaw() { protect(PROT_READ | PROT_WRITE); }
  static std::size_t collected_mappings() { return mappings; }

  // From here on they serve the replaced functions.
  static void* allocate(std::size_t size) {
    if (!collecting) return std::malloc(size);
    const std::size_t rounded = (size + 15) / 16 * 16;
    if (used + rounded > arena.size()) std::abort();
    void* block = arena.data() + used;
    used += rounded;
    return block;
  }
  static void release(void* block) {
    const auto* byte = static_cast<const std::byte*>(block);
    if (byte < arena.data() || byte >= arena.data() + arena.size()) std::free(block);
  }
  static void mapped(void* data, std::size_t bytes) {
    if (!collecting || data == MAP_FAILED) return;
    if (mappings == ranges.size()) std::abort();
    ranges[mappings++] = {data, bytes};
  }
  static inline std::atomic<std::uint64_t> locks{0};

 private:
  struct Range {
    void* data;
    std::size_t bytes;
  };
  static void protect(int how) {
    if (::mprotect(arena.data(), arena.size(), how) != 0) std::abort();
    // The limiter maps more than it keeps and gives back the ends, so page by page: what is gone refuses.
    for (std::size_t at = 0; at < mappings; ++at) {
      for (std::size_t page = 0; page < ranges[at].bytes; page += 4096) {
        ::mprotect(static_cast<std::byte*>(ranges[at].data) + page, 4096, how);
      }
    }
  }

  alignas(4096) static inline std::array<std::byte, std::size_t{1} << 20> arena{};
  static inline std::size_t used = 0;
  static inline std::array<Range, 16> ranges{};
  static inline std::size_t mappings = 0;
  static inline bool collecting = false;
};

}  // namespace sekisho::test

void* operator new(std::size_t size) {
  if (void* block = sekisho::test::FrozenMemory::allocate(size)) return block;
  throw std::bad_alloc();
}
void* operator new[](std::size_t size) {
  return operator new(size);
}
void operator delete(void* block) noexcept {
  sekisho::test::FrozenMemory::release(block);
}
void operator delete[](void* block) noexcept {
  sekisho::test::FrozenMemory::release(block);
}
void operator delete(void* block, std::size_t) noexcept {
  sekisho::test::FrozenMemory::release(block);
}
void operator delete[](void* block, std::size_t) noexcept {
  sekisho::test::FrozenMemory::release(block);
}

// The binary's own go before the library's.
extern "C" void* mmap(void* at, std::size_t bytes, int protection, int flags, int file,
                      off_t offset) noexcept {
  void* data = reinterpret_cast<void*>(::syscall(SYS_mmap, at, bytes, protection, flags, file, offset));
  sekisho::test::FrozenMemory::mapped(data, bytes);
  return data;
}
extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  using Lock = int (*)(pthread_mutex_t*);
  static const auto lock = reinterpret_cast<Lock>(::dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  sekisho::test::FrozenMemory::locks.fetch_add(1, std::memory_order_relaxed);
  return lock(mutex);
}
