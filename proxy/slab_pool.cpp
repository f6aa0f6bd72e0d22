#include "proxy/slab_pool.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <new>

namespace sekisho::proxy {
namespace {

constexpr std::size_t line = 64;
constexpr std::size_t classes = 64;  // up to 4 KiB; what is larger goes to the heap
constexpr std::size_t kept = 64;     // blocks of each size, whoever needs them
constexpr unsigned rest = 10;        // trims without a look, after one that found too little

// Blocks are whole lines.
constexpr std::size_t class_of(std::size_t size) {
  return (size + line - 1) / line - 1;
}
constexpr std::size_t bytes_of(std::size_t index) {
  return (index + 1) * line;
}

std::atomic<std::uint64_t> slabs_taken{0}, slabs_given_back{0};

// At the head of each slab, which is aligned to its size; for give_back() alone.
struct alignas(line) Slab {
  enum class Fate : std::uint8_t { open, in_use, whole, goes };
  std::uint32_t free = 0;  // blocks found in the list
  Fate fate = Fate::open;

  static Slab* of(void* block) {
    return reinterpret_cast<Slab*>(reinterpret_cast<std::uintptr_t>(block) & ~(SlabPool::slab_bytes - 1));
  }

  static Slab* take() {
    // The system aligns to pages only: what is around the slab in twice its size goes back at once.
    constexpr std::size_t size = SlabPool::slab_bytes;
    void* mapped = ::mmap(nullptr, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    char* const begin = static_cast<char*>(mapped);
    char* const slab = reinterpret_cast<char*>(of(begin + size - 1));
    if (slab > begin) ::munmap(begin, static_cast<std::size_t>(slab - begin));
    if (slab < begin + size) ::munmap(slab + size, static_cast<std::size_t>(begin + size - slab));
    slabs_taken.fetch_add(1, std::memory_order_relaxed);
    return new (slab) Slab;
  }

  void give_back() {
    ::munmap(this, SlabPool::slab_bytes);
    slabs_given_back.fetch_add(1, std::memory_order_relaxed);
  }
};

struct Free {
  Free* next;
};

// Free blocks that hang together.
struct Chain {
  Free* head = nullptr;
  Free** end = &head;

  void append(Free* block) {
    *end = block;
    end = &block->next;
  }
};

// Blocks of one size.
class List {
 public:
  void* allocate(std::size_t size) {
    if (head_ == nullptr) return cut(size);
    Free* block = head_;
    head_ = block->next;
    least_ = std::min(least_, --count_);
    return block;
  }

  void release(void* block) {
    Free* freed = static_cast<Free*>(block);
    freed->next = head_;
    head_ = freed;
    ++count_;
  }

  void trim(std::size_t size) {
    const std::size_t unneeded = least_ > kept ? least_ - kept : 0;
    if (resting_ > 0) {
      --resting_;
    } else if (unneeded > 0) {
      // By halves: what a burst needed goes within a second, and a pause in the traffic costs little.
      const std::size_t spare = std::max((unneeded + 1) / 2, std::min(unneeded, blocks(size)));
      if (give_back(size, spare, false) < spare / 2) resting_ = rest;
    }
    least_ = count_;
  }

  void give_all_back(std::size_t size) { give_back(size, std::numeric_limits<std::size_t>::max(), true); }

 private:
  static constexpr std::size_t blocks(std::size_t size) {
    return (SlabPool::slab_bytes - sizeof(Slab)) / size;
  }

  // Off the slab that is being cut up: its pages are touched only as they are needed.
  void* cut(std::size_t size) {
    if (uncut_ == 0) {
      cut_up_ = Slab::take();
      uncut_ = blocks(size);
    }
    return reinterpret_cast<char*>(cut_up_) + sizeof(Slab) + --uncut_ * size;
  }

  // Slabs whose blocks are all free, of `spare` blocks at most; how many blocks those were. The blocks of
  // slabs in use come first in the list from there on, so that these fill up before others are begun.
  std::size_t give_back(std::size_t size, std::size_t spare, bool last) {
    for (Free* block = head_; block != nullptr; block = block->next) ++Slab::of(block)->free;
    Chain in_use, whole_ones;
    std::size_t given = 0;
    for (Free *block = head_, *next; block != nullptr; block = next) {
      next = block->next;
      Slab* slab = Slab::of(block);
      const bool cut_up = slab == cut_up_ && uncut_ > 0;
      const std::size_t all = cut_up ? blocks(size) - uncut_ : blocks(size);
      if (slab->fate == Slab::Fate::open) {
        const bool whole = slab->free == all;
        const bool goes = whole && spare - given >= all && (!cut_up || last);
        slab->fate = goes ? Slab::Fate::goes : whole ? Slab::Fate::whole : Slab::Fate::in_use;
        if (goes) given += all;
      }
      const Slab::Fate fate = slab->fate;
      if (--slab->free == 0) slab->fate = Slab::Fate::open;
      if (fate != Slab::Fate::goes) {
        (fate == Slab::Fate::whole ? whole_ones : in_use).append(block);
      } else if (slab->free == 0) {
        slab->give_back();
      }
    }
    *whole_ones.end = nullptr;
    *in_use.end = whole_ones.head;
    head_ = in_use.head;
    count_ -= given;
    return given;
  }

  Free* head_ = nullptr;
  std::size_t count_ = 0;
  std::size_t least_ = 0;  // of them since the last trim: so many nobody needed
  unsigned resting_ = 0;
  Slab* cut_up_ = nullptr;
  std::size_t uncut_ = 0;  // blocks of it
};

struct Lists {
  std::array<std::array<List, classes>, 2> all{};
  List& of(std::size_t index, Lasting lasting) { return all[static_cast<std::size_t>(lasting)][index]; }
  ~Lists() {
    for (auto& lists : all) {
      for (std::size_t i = 0; i < classes; ++i) lists[i].give_all_back(bytes_of(i));
    }
  }
};

thread_local Lists lists;

}  // namespace

void* SlabPool::allocate(std::size_t size, Lasting lasting) {
  const std::size_t index = class_of(size);
  return index < classes ? lists.of(index, lasting).allocate(bytes_of(index)) : ::operator new(size);
}

void SlabPool::release(void* block, std::size_t size, Lasting lasting) noexcept {
  const std::size_t index = class_of(size);
  if (index < classes) {
    lists.of(index, lasting).release(block);
  } else {
    ::operator delete(block);
  }
}

void SlabPool::trim() noexcept {
  for (auto& of_kind : lists.all) {
    for (std::size_t i = 0; i < classes; ++i) of_kind[i].trim(bytes_of(i));
  }
}

SlabPool::Slabs SlabPool::slabs() noexcept {
  return {slabs_taken.load(std::memory_order_relaxed), slabs_given_back.load(std::memory_order_relaxed)};
}

}  // namespace sekisho::proxy
