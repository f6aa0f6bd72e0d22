#include "bench/load/progress_line.hpp"

#include <fmt/format.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace sekisho::load {
namespace {

// Asked for anew each time: a window is drawn larger and smaller.
std::size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

ProgressLine::ProgressLine(bool wanted) : shown_(wanted && ::isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
  if (shown_) fmt::print(stderr, "\r\x1b[K");
}

void ProgressLine::show(double seconds, const ProgressSum& sum) {
  if (!shown_) return;
  std::string line = fmt::format(
      "{:.0f} s: {} answered ({:.0f} a second), {} of them refused; {} failed", seconds, sum.answered,
      static_cast<double>(sum.answered - last_answered_) / std::max(seconds - last_seconds_, 0.001),
      sum.refused, sum.failed);
  // A terminal may go to the next line as soon as its last column is written.
  line.resize(std::min(line.size(), terminal_width() - 1));
  fmt::print(stderr, "\r\x1b[K{}", line);
  last_answered_ = sum.answered;
  last_seconds_ = seconds;
}

}  // namespace sekisho::load
