// When the requests of an open loop are due: at a constant rate, whatever the answers do.
#pragma once

#include <cstdint>

namespace sekisho::load {

// The due times of one thread's share of a class, `batch` requests at each. Between them the threads keep the
// rate of the whole class, each taking every `shares`th time.
class Schedule {
 public:
  // `rate`: requests a second over all threads, above 0.
  Schedule(double rate, std::uint64_t batch, std::int64_t begin, std::uint64_t share, std::uint64_t shares)
      : gap_(1e9 / rate * static_cast<double>(batch)),
        batch_(batch),
        left_(batch),
        begin_(begin),
        number_(share),
        step_(shares) {}

  // Of the next request: nanoseconds of the clock that `begin` is of. Worked out anew from the number, so
  // that no error adds up.
  std::int64_t due() const { return begin_ + static_cast<std::int64_t>(gap_ * static_cast<double>(number_)); }

  // `count` requests, left_at_once() at most, are under way. What a batch has more stays due when it was.
  void take(std::uint64_t count) {
    left_ -= count;
    if (left_ > 0) return;
    left_ = batch_;
    number_ += step_;
  }
  // How many are due at the next request's time.
  std::uint64_t left_at_once() const { return left_; }

  // How many requests from the next on are due before `end`.
  std::uint64_t left_before(std::int64_t end) const {
    Schedule rest = *this;
    std::uint64_t count = 0;
    for (; rest.due() < end; rest.take(rest.left_)) count += rest.left_;
    return count;
  }

 private:
  double gap_;
  std::uint64_t batch_, left_;
  std::int64_t begin_;
  std::uint64_t number_, step_;
};

}  // namespace sekisho::load
