// What the kernel says of the calling thread's time.
#pragma once

#include <cstdint>
#include <optional>

namespace sekisho::load {

// Nanoseconds, both since the thread began.
struct ThreadTimes {
  std::int64_t cpu = 0;  // on a processor
  std::optional<std::int64_t>
      waited;  // ready to run, and not let; absent where this kernel does not count it
};

// Allocates nothing.
ThreadTimes thread_times();

}  // namespace sekisho::load
