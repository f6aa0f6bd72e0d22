// When the requests of an open loop are due: at a constant rate, whatever the answers do.
#pragma once

#include <cstdint>

namespace sekisho::load {

// The due times of one thread's share of a class. Between them the threads keep the rate of the whole class,
// each taking every `shares`th time.
class Schedule {
 public:
  // `rate`: times a second over all threads, above 0.
  Schedule(double rate, std::int64_t begin, std::uint64_t share, std::uint64_t shares)
      : gap_(1e9 / rate), begin_(begin), number_(share), step_(shares) {}

  // Nanoseconds of the clock that `begin` is of. Worked out anew from the number, so that no error adds up.
  std::int64_t due() const { return begin_ + static_cast<std::int64_t>(gap_ * static_cast<double>(number_)); }
  void advance() { number_ += step_; }

  // How many times from due() on lie before `end`.
  std::uint64_t left_before(std::int64_t end) const {
    Schedule rest = *this;
    std::uint64_t count = 0;
    for (; rest.due() < end; rest.advance()) ++count;
    return count;
  }

 private:
  double gap_;
  std::int64_t begin_;
  std::uint64_t number_, step_;
};

}  // namespace sekisho::load
