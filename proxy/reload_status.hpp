// What became of the configuration files read so far.
#pragma once

#include <cstdint>
#include <string>

namespace sekisho::proxy {

// The file read at start counts as the first success of `last`, not as a reload.
struct ReloadStatus {
  std::uint64_t successes = 0, failures = 0;
  bool last_successful = true;
  double last_success_seconds = 0;  // since the epoch
  double last_seconds = 0;          // since the epoch: the last try, whatever became of it
  std::string last_problems;        // one a line; empty after a success
};

}  // namespace sekisho::proxy
