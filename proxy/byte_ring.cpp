#include "proxy/byte_ring.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <system_error>

namespace sekisho::proxy {
namespace {

[[noreturn]] void fail(int fd, const char* what) {
  const int error = errno;
  if (fd >= 0) ::close(fd);
  throw std::system_error(error, std::generic_category(), what);
}

}  // namespace

ByteRing::ByteRing(std::size_t capacity) {
  // A power of two above the page size is a multiple of it.
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  capacity_ = std::bit_ceil(capacity < page ? page : capacity);

  const int fd = ::memfd_create("sekisho-ring", MFD_CLOEXEC);
  if (fd < 0) fail(fd, "memory of a log ring");
  if (::ftruncate(fd, static_cast<off_t>(capacity_)) != 0) fail(fd, "memory of a log ring");
  // Reserves both halves at once, so that nothing else can be mapped between them.
  void* space = ::mmap(nullptr, 2 * capacity_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (space == MAP_FAILED) fail(fd, "address space of a log ring");
  base_ = static_cast<char*>(space);
  for (char* half : {base_, base_ + capacity_}) {
    if (::mmap(half, capacity_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
      ::munmap(base_, 2 * capacity_);
      fail(fd, "mapping of a log ring");
    }
  }
  ::close(fd);
}

ByteRing::~ByteRing() {
  ::munmap(base_, 2 * capacity_);
}

}  // namespace sekisho::proxy
