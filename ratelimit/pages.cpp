#include "ratelimit/pages.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <limits>
#include <new>

namespace sekisho::ratelimit {
namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20;

#ifndef MADV_POPULATE_WRITE
constexpr int populate_write = 23;
#else
constexpr int populate_write = MADV_POPULATE_WRITE;
#endif

std::size_t round_up(std::size_t bytes, std::size_t to) {
  return (bytes + to - 1) / to * to;
}

// A mapping that begins on a huge page's boundary: maps one huge page too many and gives back the ends.
void* map_aligned(std::size_t bytes, std::size_t alignment) {
  const std::size_t reach = bytes + alignment;
  void* mapped = ::mmap(nullptr, reach, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  const auto begin = reinterpret_cast<std::uintptr_t>(mapped);
  const std::uintptr_t aligned = round_up(begin, alignment);
  if (aligned > begin) ::munmap(mapped, aligned - begin);
  const std::uintptr_t tail = begin + reach - (aligned + bytes);
  if (tail > 0) ::munmap(reinterpret_cast<void*>(aligned + bytes), tail);
  return reinterpret_cast<void*>(aligned);
}

}  // namespace

Pages::Pages(std::size_t bytes) {
  if (bytes == 0 || bytes > std::numeric_limits<std::size_t>::max() / 4) throw std::bad_alloc();
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  mapped_ = round_up(bytes, page);
  data_ = map_aligned(mapped_, mapped_ >= huge_page ? huge_page : page);
  if (mapped_ >= huge_page) ::madvise(data_, mapped_, MADV_HUGEPAGE);  // a wish: refused is fine
  if (::madvise(data_, mapped_, populate_write) == 0) return;
  if (errno == ENOMEM || errno == EFAULT) {
    ::munmap(data_, mapped_);
    throw std::bad_alloc();
  }
  // Kernels before 5.14 do not know the advice: touch each page.
  for (std::size_t at = 0; at < mapped_; at += page) static_cast<volatile char*>(data_)[at] = 0;
}

Pages::~Pages() {
  ::munmap(data_, mapped_);
}

}  // namespace sekisho::ratelimit
