// The 64-bit word that is a table's whole entry: [tag 27 | tentative 1 | value 36] (docs/limiter.md, "The
// word").
#pragma once

#include <cstdint>

#include "ratelimit/key.hpp"

namespace sekisho::ratelimit::word {

// A word of a table is one of three: empty (all zero), a member (tentative 0; the value is the entry's
// state), or a claim (tentative 1; the value names the claimant). Tags are never 0, so no member or claim is
// all zero.
inline constexpr unsigned value_bits = 36;
inline constexpr unsigned tag_bits = 27;
inline constexpr std::uint64_t value_mask = (std::uint64_t{1} << value_bits) - 1;
inline constexpr std::uint64_t tag_mask = (std::uint64_t{1} << tag_bits) - 1;
inline constexpr std::uint64_t tentative_bit = std::uint64_t{1} << value_bits;
inline constexpr std::uint64_t empty = 0;

constexpr std::uint64_t tag_of(Key key) {
  const std::uint64_t tag = key.low & tag_mask;
  return tag == 0 ? 1 : tag;
}

constexpr std::uint64_t member(std::uint64_t tag, std::uint64_t value) {
  return tag << (value_bits + 1) | (value & value_mask);
}
constexpr std::uint64_t claim(std::uint64_t tag, std::uint64_t claimant) {
  return tag << (value_bits + 1) | tentative_bit | (claimant & value_mask);
}

constexpr std::uint64_t tag(std::uint64_t word) {
  return word >> (value_bits + 1);
}
constexpr std::uint64_t value(std::uint64_t word) {
  return word & value_mask;
}
constexpr bool is_claim(std::uint64_t word) {
  return (word & tentative_bit) != 0;
}
constexpr bool is_member_of(std::uint64_t word, std::uint64_t tag) {
  return word >> value_bits == tag << 1;
}

}  // namespace sekisho::ratelimit::word
