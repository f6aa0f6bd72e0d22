// How many bytes a slow reader or sender may move by now.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace sekisho::load {

// A credit against the time that passed: what a tick that came late, or a socket that had less, left over is
// made up for by the next ones, and the rate is held. Ahead of it never a byte moves.
class Allowance {
 public:
  // For longer than this nothing is made up for, or a client that waited would go on with a flood.
  static constexpr std::int64_t longest = 2'000'000'000;

  // Nothing is owed.
  void begin(std::int64_t now) { from_ = now; }

  // `rate`: bytes a second, above 0.
  std::uint64_t bytes(std::uint64_t rate, std::int64_t now) {
    from_ = std::max(from_, now - longest);
    return static_cast<std::uint64_t>(static_cast<double>(now - from_) * static_cast<double>(rate) / 1e9);
  }
  void spend(std::uint64_t rate, std::uint64_t bytes) {
    from_ +=
        static_cast<std::int64_t>(std::ceil(static_cast<double>(bytes) * 1e9 / static_cast<double>(rate)));
  }

 private:
  std::int64_t from_ = 0;  // the time up to which all that was allowed has moved
};

}  // namespace sekisho::load
