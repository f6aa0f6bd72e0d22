// A pipe that large bodies go through from one socket to another without being copied to us (splice(2)).
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace sekisho::proxy {

// Owns both ends; knows how much it holds. One worker's.
class SplicePipe {
 public:
  // Null where the system gives none.
  static std::unique_ptr<SplicePipe> make();
  ~SplicePipe();
  SplicePipe(const SplicePipe&) = delete;
  SplicePipe& operator=(const SplicePipe&) = delete;

  std::size_t held() const { return held_; }

  // One splice each way, which does not wait. The bytes moved; -1 and errno where it fails, EAGAIN also where
  // there is no room here, or nothing.
  std::ptrdiff_t fill_from(int descriptor, std::size_t most);
  std::ptrdiff_t empty_into(int descriptor);
  // Takes out what is held, as far as there is space, for who goes on by copying.
  std::size_t read(char* space, std::size_t size);

 private:
  SplicePipe(int read_end, int write_end) : read_end_(read_end), write_end_(write_end) {}

  int read_end_, write_end_;
  std::size_t held_ = 0;
};

// A worker's: bounded, since each is two descriptors, and its bytes are memory of the kernel's.
class SplicePipes {
 public:
  // At once, over all transfers of the worker.
  static constexpr std::size_t most = 16;

  // Null where all are out, or the system gives none.
  std::unique_ptr<SplicePipe> borrow();
  // The system turned out not to do this: none is lent any more.
  void disable() { lent_at_most_ = 0; }
  // What still holds something is closed.
  void give_back(std::unique_ptr<SplicePipe> pipe);
  // Closes one of those that nobody needed since the last call; the worker's tick.
  void trim();

 private:
  std::vector<std::unique_ptr<SplicePipe>> idle_;
  std::size_t least_idle_ = 0;  // since the last trim
  std::size_t out_ = 0;
  std::size_t lent_at_most_ = most;
};

}  // namespace sekisho::proxy
