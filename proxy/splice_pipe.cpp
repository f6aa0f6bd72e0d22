#include "proxy/splice_pipe.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace sekisho::proxy {
namespace {

// A sender's window or so: more keeps the copies' memory busy for nothing. What the system refuses to enlarge
// serves as it is.
constexpr int capacity = 256 * 1024;

// Without SPLICE_F_MORE: what is held back with it waits 200 ms where nothing more comes after all.
std::ptrdiff_t splice_some(int from, int to, std::size_t most) {
  for (;;) {
    const ssize_t moved = ::splice(from, nullptr, to, nullptr, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (moved >= 0 || errno != EINTR) return moved;
  }
}

}  // namespace

std::unique_ptr<SplicePipe> SplicePipe::make() {
  int ends[2];
  if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return nullptr;
  ::fcntl(ends[1], F_SETPIPE_SZ, capacity);
  return std::unique_ptr<SplicePipe>(new SplicePipe(ends[0], ends[1]));
}

SplicePipe::~SplicePipe() {
  ::close(read_end_);
  ::close(write_end_);
}

std::ptrdiff_t SplicePipe::fill_from(int descriptor, std::size_t most) {
  const std::ptrdiff_t moved = splice_some(descriptor, write_end_, most);
  if (moved > 0) held_ += static_cast<std::size_t>(moved);
  return moved;
}

std::ptrdiff_t SplicePipe::empty_into(int descriptor) {
  const std::ptrdiff_t moved = splice_some(read_end_, descriptor, held_);
  if (moved > 0) held_ -= static_cast<std::size_t>(moved);
  return moved;
}

std::size_t SplicePipe::read(char* space, std::size_t size) {
  const ssize_t got = ::read(read_end_, space, size);
  if (got <= 0) return 0;
  held_ -= static_cast<std::size_t>(got);
  return static_cast<std::size_t>(got);
}

std::unique_ptr<SplicePipe> SplicePipes::borrow() {
  if (out_ >= lent_at_most_) return nullptr;
  std::unique_ptr<SplicePipe> pipe;
  if (idle_.empty()) {
    pipe = SplicePipe::make();
  } else {
    pipe = std::move(idle_.back());
    idle_.pop_back();
    least_idle_ = std::min(least_idle_, idle_.size());
  }
  if (pipe) ++out_;
  return pipe;
}

void SplicePipes::give_back(std::unique_ptr<SplicePipe> pipe) {
  --out_;
  if (pipe->held() == 0) idle_.push_back(std::move(pipe));
}

void SplicePipes::trim() {
  if (least_idle_ > 0) idle_.pop_back();
  least_idle_ = idle_.size();
}

}  // namespace sekisho::proxy
