#include "bench/load/thread_times.hpp"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace sekisho::load {
namespace {

// The second number of "CPU WAITED SLICES"; see the kernel's Documentation/scheduler/sched-stats.rst.
std::optional<std::int64_t> run_queue_wait() {
  const int fd = ::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::array<char, 96> text{};
  const ssize_t size = ::read(fd, text.data(), text.size());
  ::close(fd);
  if (size <= 0) return std::nullopt;
  const char* const end = text.data() + size;
  const char* const space = std::find<const char*>(text.data(), end, ' ');
  std::int64_t waited = 0;
  if (space == end || std::from_chars(space + 1, end, waited).ec != std::errc()) return std::nullopt;
  return waited;
}

}  // namespace

ThreadTimes thread_times() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return {std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec, run_queue_wait()};
}

}  // namespace sekisho::load
