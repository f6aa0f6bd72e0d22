#include "bench/load/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace sekisho::load {
namespace {

// Values below 2^11 have a bucket each; above, each power of two is cut into 2^10.
constexpr unsigned fine_bits = 11;
constexpr unsigned half_bits = fine_bits - 1;

std::size_t index_of(std::int64_t value) {
  const auto bits = static_cast<unsigned>(std::bit_width(static_cast<std::uint64_t>(value)));
  if (bits <= fine_bits) return static_cast<std::size_t>(value);
  const unsigned shift = bits - fine_bits;
  return (std::size_t{shift} << half_bits) + static_cast<std::size_t>(value >> shift);
}

// The largest value that falls into the bucket.
std::int64_t last_of(std::size_t index) {
  if (index < std::size_t{1} << fine_bits) return static_cast<std::int64_t>(index);
  const auto shift = static_cast<unsigned>(index >> half_bits) - 1;
  const auto top = static_cast<std::int64_t>(index - (std::size_t{shift} << half_bits));
  return ((top + 1) << shift) - 1;
}

}  // namespace

Histogram::Histogram() : counts_(index_of(largest) + 1) {}

void Histogram::record(std::int64_t nanoseconds) {
  const std::int64_t value = std::clamp<std::int64_t>(nanoseconds, 0, largest);
  ++counts_[index_of(value)];
  ++count_;
  sum_ += static_cast<double>(value);
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
}

void Histogram::add(const Histogram& other) {
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

double Histogram::mean() const {
  return count_ == 0 ? 0 : sum_ / static_cast<double>(count_);
}

std::int64_t Histogram::quantile(double share) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count_));
  const auto rank = std::max<std::uint64_t>(1, std::min(static_cast<std::uint64_t>(wanted), count_));
  std::uint64_t seen = 0;
  for (std::size_t i = index_of(min_); i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= rank) return std::clamp(last_of(i), min_, max_);
  }
  return max_;
}

}  // namespace sekisho::load
