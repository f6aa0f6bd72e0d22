// A quick look for a tag in a line. It is a hint: the words are read without the promises of an
// atomic load, so what it finds must be loaded anew, and what it does not find may be there.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "ratelimit/word.hpp"

#if defined(__SANITIZE_THREAD__)
// ThreadSanitizer is to see every access.
#elif defined(__SSE2__)
#include <emmintrin.h>
#define SEKISHO_LINE_FILTER 1
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#define SEKISHO_LINE_FILTER 1
#endif

namespace sekisho::ratelimit::line_filter {

inline constexpr unsigned words = 8;  // of a line
inline constexpr unsigned none = words;

#if defined(SEKISHO_LINE_FILTER)
inline constexpr bool present = true;
#else
inline constexpr bool present = false;
#endif

// Where in `line` a member of `tag` seems to stand, or none. No branch depends on where that is. The line is
// aligned to 16 bytes.
inline unsigned find([[maybe_unused]] const std::uint64_t* line, [[maybe_unused]] std::uint64_t tag) {
#if !defined(SEKISHO_LINE_FILTER)
  return none;
#else
  // A member's upper half holds all that tells it: its tag, the bit that is 0, and the value's first bits.
  constexpr int value_bits = word::value_bits - 32;
  const auto sought = static_cast<std::uint32_t>(tag << 1);
#if defined(__SSE2__)
  const __m128i all_sought = _mm_set1_epi32(static_cast<int>(sought));
  const auto four = [&](const std::uint64_t* from) {
    const auto* pairs = reinterpret_cast<const __m128i*>(from);
    const __m128 left = _mm_castsi128_ps(_mm_load_si128(pairs));
    const __m128 right = _mm_castsi128_ps(_mm_load_si128(pairs + 1));
    const __m128i upper = _mm_castps_si128(_mm_shuffle_ps(left, right, _MM_SHUFFLE(3, 1, 3, 1)));
    return _mm_cmpeq_epi32(_mm_srli_epi32(upper, value_bits), all_sought);
  };
  // Two bits a word.
  const auto found = static_cast<unsigned>(_mm_movemask_epi8(_mm_packs_epi32(four(line), four(line + 4))));
  if (found == 0) return none;
  return static_cast<unsigned>(std::countr_zero(found)) / 2;
#else
  const uint32x4_t all_sought = vdupq_n_u32(sought);
  const auto four = [&](const std::uint64_t* from) {
    const uint32x4x2_t halves = vld2q_u32(reinterpret_cast<const std::uint32_t*>(from));
    return vmovn_u32(vceqq_u32(vshrq_n_u32(halves.val[1], value_bits), all_sought));
  };
  // Eight bits a word.
  const uint8x8_t all = vmovn_u16(vcombine_u16(four(line), four(line + 4)));
  const std::uint64_t found = vget_lane_u64(vreinterpret_u64_u8(all), 0);
  if (found == 0) return none;
  return static_cast<unsigned>(std::countr_zero(found)) / 8;
#endif
#endif
}

}  // namespace sekisho::ratelimit::line_filter
