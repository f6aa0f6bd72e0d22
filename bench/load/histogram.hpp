// A histogram of times with three significant digits from a nanosecond to an hour, after Gil Tene's
// HdrHistogram: buckets are linear within each power of two, so that each is at most a thousandth of its
// value wide.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace sekisho::load {

// Nothing is allocated but by the constructor. Not thread-safe: each thread records into its own, and they
// are added when the threads have ended.
class Histogram {
 public:
  static constexpr std::int64_t largest =
      (std::int64_t{1} << 42) - 1;  // 73 minutes; what is longer counts as that

  Histogram();

  void record(std::int64_t nanoseconds);
  void add(const Histogram& other);

  std::uint64_t count() const { return count_; }
  // All exact; 0 where nothing was recorded.
  std::int64_t min() const { return count_ == 0 ? 0 : min_; }
  std::int64_t max() const { return max_; }
  double mean() const;
  // The least recorded time that at least `share` of all are no longer than, to three digits, and never above
  // max(); `share` from 0 to 1. 0 where nothing was recorded.
  std::int64_t quantile(double share) const;

 private:
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  double sum_ = 0;
  std::int64_t min_ = largest;
  std::int64_t max_ = 0;
};

}  // namespace sekisho::load
