// A pending Asio operation of a stream: keeps the stream alive, and lives in memory that the stream lends it.
#pragma once

#include <array>
#include <boost/intrusive_ptr.hpp>
#include <cstddef>
#include <utility>

#include "proxy/frame_pool.hpp"

namespace sekisho::proxy {

// Room for one operation; a stream has one for each kind that may be pending. Should Asio ask for more, the
// frame pool gives it.
struct OperationMemory {
  alignas(16) std::array<std::byte, 256> bytes;
  bool in_use = false;
};

template <class T>
struct OperationAllocator {
  using value_type = T;
  explicit OperationAllocator(OperationMemory* m) : memory(m) {}
  template <class U>
  OperationAllocator(const OperationAllocator<U>& other) noexcept : memory(other.memory) {}

  T* allocate(std::size_t n) {
    if (!memory->in_use && n * sizeof(T) <= memory->bytes.size()) {
      memory->in_use = true;
      return reinterpret_cast<T*>(memory->bytes.data());
    }
    return static_cast<T*>(FramePool::allocate(n * sizeof(T)));
  }
  void deallocate(T* p, std::size_t n) noexcept {
    if (reinterpret_cast<std::byte*>(p) == memory->bytes.data()) {
      memory->in_use = false;
    } else {
      FramePool::release(p, n * sizeof(T));
    }
  }
  friend bool operator==(const OperationAllocator& a, const OperationAllocator& b) noexcept {
    return a.memory == b.memory;
  }

  OperationMemory* memory;
};

// A completion handler that calls `function(stream, arguments...)`.
template <class StreamType, class Function>
struct StreamOperation {
  using allocator_type = OperationAllocator<void>;

  StreamOperation(StreamType& the_stream, OperationMemory& the_memory, Function the_function)
      : stream(&the_stream), memory(&the_memory), function(the_function) {}

  allocator_type get_allocator() const noexcept { return allocator_type(memory); }
  template <class... Arguments>
  void operator()(Arguments&&... arguments) {
    function(*stream, std::forward<Arguments>(arguments)...);
  }

  boost::intrusive_ptr<StreamType> stream;
  OperationMemory* memory;
  Function function;
};

}  // namespace sekisho::proxy
