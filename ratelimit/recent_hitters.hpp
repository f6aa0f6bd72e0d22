// Who came most often in the last minutes: two generations of a sketch, so that old talkers go.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ratelimit/heavy_hitters.hpp"
#include "ratelimit/instant.hpp"

namespace sekisho::ratelimit {

// What came before since() is forgotten: the figures speak of the last one to two generations, 2.5 to 5
// minutes. Generations begin at multiples of their length on the clock, so that those of several workers
// cover the same time. Allocates nothing after construction; not thread-safe; copied as HeavyHitters are.
class RecentHitters {
 public:
  static constexpr Duration generation = std::chrono::seconds(150);

  RecentHitters(std::size_t slots, std::size_t text_bytes, Instant now);

  // As HeavyHitters::add. Time does not go back.
  void add(std::string_view item, std::uint64_t hash, Instant now) {
    if (now >= ends_) turn(now);
    generations_[current_].add(item, hash);
  }
  // Drops what is too old at `now`; call it before the figures are read.
  void turn(Instant now);

  // The beginning of the time that the figures are of.
  Instant since() const;
  // The sketches to merge for the figures.
  const std::array<HeavyHitters, 2>& generations() const { return generations_; }

 private:
  std::array<HeavyHitters, 2> generations_;
  std::size_t current_ = 0;
  Instant started_;
  Instant ends_;  // of the current generation
};

}  // namespace sekisho::ratelimit
