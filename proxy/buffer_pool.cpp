#include "proxy/buffer_pool.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <new>

namespace sekisho::proxy {
namespace {

constexpr std::int64_t lot = 512 * 1024;
constexpr std::int64_t most_float = 2 * lot;
constexpr std::size_t reserve_bytes = 1024 * 1024;  // of free buffers that a worker keeps per size class

std::size_t class_of(std::size_t size) {
  return static_cast<std::size_t>(std::bit_width(size / BufferPool::smallest)) - 1;
}

}  // namespace

bool BufferBudget::draw(std::int64_t bytes) {
  std::int64_t free = free_.load(std::memory_order_relaxed);
  while (free >= bytes) {
    if (free_.compare_exchange_weak(free, free - bytes, std::memory_order_relaxed)) return true;
  }
  return false;
}

void BufferBudget::set_total(std::uint64_t total) {
  const auto wanted = static_cast<std::int64_t>(total);
  free_.fetch_add(wanted - total_.exchange(wanted), std::memory_order_relaxed);
}

BufferPool::~BufferPool() {
  for (auto& list : free_) {
    for (char* buffer : list) std::free(buffer);
  }
  budget_.give_back(drawn_);
}

std::size_t BufferPool::size_for(std::size_t wanted) {
  return std::bit_ceil(std::max(wanted, smallest));
}

bool BufferPool::reserve(std::size_t size, bool must) {
  const auto bytes = static_cast<std::int64_t>(size);
  if (drawn_ - used_ < bytes) {
    const std::int64_t wanted = std::max(lot, bytes);
    if (budget_.draw(wanted)) {
      drawn_ += wanted;
    } else if (must) {
      budget_.overdraw(bytes);
      drawn_ += bytes;
    } else {
      return false;
    }
  }
  used_ += bytes;
  held_.add(size);
  return true;
}

char* BufferPool::take(std::size_t size, bool must) {
  if (!reserve(size, must)) return nullptr;
  auto& list = free_[class_of(size)];
  if (!list.empty()) {
    char* buffer = list.back();
    list.pop_back();
    return buffer;
  }
  auto* buffer = static_cast<char*>(std::malloc(size));
  if (buffer == nullptr) throw std::bad_alloc();
  heap_.took(size);
  return buffer;
}

bool BufferPool::has_room(std::size_t bytes) {
  if (budget_.overdrawn()) {
    budget_.give_back(drawn_ - used_);
    drawn_ = used_;
    if (budget_.overdrawn()) return false;
  }
  if (drawn_ - used_ >= static_cast<std::int64_t>(bytes)) return true;
  if (!budget_.draw(lot)) return false;
  drawn_ += lot;
  return true;
}

void BufferPool::give(char* buffer, std::size_t size) {
  used_ -= static_cast<std::int64_t>(size);
  held_.subtract(size);
  auto& list = free_[class_of(size)];
  if (list.size() * size >= reserve_bytes) {
    free(buffer, size);
  } else {
    list.push_back(buffer);
  }
  if (drawn_ - used_ > most_float) {
    const std::int64_t surplus = drawn_ - used_ - lot;
    budget_.give_back(surplus);
    drawn_ -= surplus;
  }
}

void BufferPool::free(char* buffer, std::size_t size) {
  std::free(buffer);
  heap_.freed(size);
}

void BufferPool::trim() {
  for (std::size_t i = 0; i < classes; ++i) {
    auto& list = free_[i];
    const std::size_t keep = std::max<std::size_t>(1, reserve_bytes / 4 / (smallest << i));
    while (list.size() > keep) {
      free(list.back(), smallest << i);
      list.pop_back();
    }
  }
}

}  // namespace sekisho::proxy
