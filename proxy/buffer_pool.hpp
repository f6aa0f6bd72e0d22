// A worker's buffers, accounted to one total for the process (upstream.buffer.total).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "proxy/counters.hpp"

namespace sekisho::proxy {

// The process's total, on which each worker draws in lots so that the shared word is seldom written.
// Thread-safe.
class BufferBudget {
 public:
  explicit BufferBudget(std::uint64_t total)
      : free_(static_cast<std::int64_t>(total)), total_(static_cast<std::int64_t>(total)) {}
  // Takes `bytes` if that many are left.
  bool draw(std::int64_t bytes);
  // Takes them even if the total is overdrawn by it (what a connection cannot do without).
  void overdraw(std::int64_t bytes) { free_.fetch_sub(bytes, std::memory_order_relaxed); }
  void give_back(std::int64_t bytes) { free_.fetch_add(bytes, std::memory_order_relaxed); }
  bool overdrawn() const { return free_.load(std::memory_order_relaxed) < 0; }
  void set_total(std::uint64_t total);

 private:
  std::atomic<std::int64_t> free_;
  std::atomic<std::int64_t> total_;
};

// Power-of-two buffers from 4 KiB up, kept in free lists. One worker's. `must` says what to do when the total
// is spent: a head or the one block that keeps a body moving is given all the same, a block to read ahead is
// not.
class BufferPool {
 public:
  static constexpr std::size_t smallest = 4096;
  static constexpr std::size_t classes = 12;  // up to 8 MiB

  BufferPool(BufferBudget& budget, Count& held, HeapUse& heap) : budget_(budget), held_(held), heap_(heap) {}
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // A buffer of at least `size` bytes (see size_for), or nullptr when the total is spent and `must` is false.
  char* take(std::size_t size, bool must);
  void give(char* buffer, std::size_t size);
  // Whether the total still has `bytes` for reading ahead. Never while it is overdrawn: what comes free then
  // pays that back first.
  bool has_room(std::size_t bytes);
  static std::size_t size_for(std::size_t wanted);
  // For what else is borrowed like buffers, and returned to malloc.
  HeapUse& heap() { return heap_; }
  // Frees what lies idle beyond a reserve; from the tick.
  void trim();

 private:
  bool reserve(std::size_t size, bool must);
  void free(char* buffer, std::size_t size);

  BufferBudget& budget_;
  Count& held_;
  HeapUse& heap_;
  std::int64_t drawn_ = 0;  // from the budget
  std::int64_t used_ = 0;   // in hands; drawn_ - used_ is this worker's float
  std::array<std::vector<char*>, classes> free_;
};

}  // namespace sekisho::proxy
