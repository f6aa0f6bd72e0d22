// Keys as the tables see them: 128 bits of a keyed hash, so that nobody outside can aim at a line.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace sekisho::ratelimit {

struct Key {
  std::uint64_t high = 0;  // places the entry: its two candidate lines
  std::uint64_t low = 0;   // its tag
  friend bool operator==(const Key&, const Key&) = default;
};

using Secret = std::array<std::uint64_t, 2>;

// SipHash-1-3 with 128 bits of output under a secret drawn at start. Immutable; safe to share.
class KeyHasher {
 public:
  explicit KeyHasher(Secret secret) : secret_(secret) {}
  // `salt` tells apart recipes whose bytes could be equal. Allocates nothing.
  Key operator()(std::uint64_t salt, std::string_view bytes) const;

 private:
  Secret secret_;
};

}  // namespace sekisho::ratelimit
