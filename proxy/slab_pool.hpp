// Memory of coroutine frames, connections and streams: freed blocks are kept per thread and size, so that a
// warm worker allocates nothing, and what a burst needed goes back to the system.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sekisho::proxy {

// What lives as long as a connection and what a request borrows never share a slab, nor does either share a
// page with malloc's: a burst of requests on ten thousand connections leaves no page behind that holds a few
// hundred bytes of an idle one and is free otherwise.
enum class Lasting : std::uint8_t { request, connection };

// Thread-local lists of free blocks over slabs of equal blocks. A block is freed on the thread that took it,
// or on one that lives on once that has ended; slabs of a thread that ends are given back, but for those with
// blocks in use.
class SlabPool {
 public:
  static void* allocate(std::size_t size, Lasting lasting);
  static void release(void* block, std::size_t size, Lasting lasting) noexcept;
  // Gives back slabs that this thread has not needed since the last call; the worker's tick.
  static void trim() noexcept;

  // How many slabs were taken from the system and given back, by all threads.
  struct Slabs {
    std::uint64_t taken, given_back;
  };
  static constexpr std::size_t slab_bytes = 32 * 1024;
  static Slabs slabs() noexcept;
};

// Base of classes whose objects live as long as a connection.
struct LastsAsConnection {
  static void* operator new(std::size_t size) { return SlabPool::allocate(size, Lasting::connection); }
  static void operator delete(void* block, std::size_t size) noexcept {
    SlabPool::release(block, size, Lasting::connection);
  }
};

}  // namespace sekisho::proxy
