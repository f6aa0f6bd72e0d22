// The line that tells on a terminal how a run goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace sekisho::load {

struct ProgressSum {
  std::uint64_t answered = 0, refused = 0, failed = 0, unreached = 0;
};

// On stderr, where that is a terminal. It overwrites itself, and so must not be longer than the terminal is
// wide.
class ProgressLine {
 public:
  explicit ProgressLine(bool wanted);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(double seconds, const ProgressSum& sum);

 private:
  bool shown_;
  std::uint64_t last_answered_ = 0;
  double last_seconds_ = 0;
};

}  // namespace sekisho::load
