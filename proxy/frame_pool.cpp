#include "proxy/frame_pool.hpp"

#include <array>
#include <new>

namespace sekisho::proxy {
namespace {

constexpr std::size_t granule = 128;
constexpr std::size_t classes = 32;  // up to 4 KiB; what is larger goes to the heap

struct Free {
  Free* next;
};

struct Lists {
  std::array<Free*, classes> heads{};
  ~Lists() {
    for (Free*& head : heads) {
      while (head != nullptr) {
        Free* next = head->next;
        ::operator delete(head);
        head = next;
      }
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
  Free*& head = lists.heads[index];
  if (head == nullptr) return ::operator new((index + 1) * granule);
  Free* block = head;
  head = block->next;
  return block;
}

void FramePool::release(void* block, std::size_t size) noexcept {
  const std::size_t index = class_of(size);
  if (index >= classes) {
    ::operator delete(block);
    return;
  }
  Free* freed = static_cast<Free*>(block);
  freed->next = lists.heads[index];
  lists.heads[index] = freed;
}

}  // namespace sekisho::proxy
