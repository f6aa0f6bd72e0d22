#include "proxy/frame_pool.hpp"

#include <algorithm>
#include <array>
#include <new>

namespace sekisho::proxy {
namespace {

constexpr std::size_t granule = 128;
constexpr std::size_t classes = 32;  // up to 4 KiB; what is larger goes to the heap

constexpr std::size_t kept = 64;  // blocks of each size, whoever needs them

struct Free {
  Free* next;
};

// Free blocks of one size.
struct List {
  Free* head = nullptr;
  std::size_t count = 0;
  std::size_t least = 0;  // of them since the last trim: so many nobody needed

  void free_one() {
    Free* next = head->next;
    ::operator delete(head);
    head = next;
    --count;
  }
};

struct Lists {
  std::array<List, classes> all{};
  ~Lists() {
    for (List& list : all) {
      while (list.head != nullptr) list.free_one();
    }
  }
};

thread_local Lists lists;

constexpr std::size_t class_of(std::size_t size) {
  return (size + granule - 1) / granule - 1;
}

}  // namespace

void* FramePool::allocate(std::size_t size) {
  const std::size_t index = class_of(size);
  if (index >= classes) return ::operator new(size);
  List& list = lists.all[index];
  if (list.head == nullptr) return ::operator new((index + 1) * granule);
  Free* block = list.head;
  list.head = block->next;
  list.least = std::min(list.least, --list.count);
  return block;
}

void FramePool::release(void* block, std::size_t size) noexcept {
  const std::size_t index = class_of(size);
  if (index >= classes) {
    ::operator delete(block);
    return;
  }
  Free* freed = static_cast<Free*>(block);
  List& list = lists.all[index];
  freed->next = list.head;
  list.head = freed;
  ++list.count;
}

void FramePool::trim() noexcept {
  for (List& list : lists.all) {
    // By halves: what a burst needed goes within a second, and a pause in the traffic costs little.
    for (std::size_t spare = list.least > kept ? (list.least - kept + 1) / 2 : 0; spare > 0; --spare)
      list.free_one();
    list.least = list.count;
  }
}

}  // namespace sekisho::proxy
