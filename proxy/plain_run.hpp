// The run of bytes at the front of a text that stand for themselves in a JSON string, found and copied a
// block at a time.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace sekisho::proxy::json_detail {

// Printable ASCII other than the quote and the backslash stands for itself.
constexpr bool plain(char c) {
  return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

inline std::uint64_t load_word(const char* text) {
  std::uint64_t word;
  std::memcpy(&word, text, sizeof word);
  return word;
}

// At most eight bytes in the order of a little-endian word, zeros behind them. Reads nothing but them: the
// loads overlap, and where they do they agree.
inline std::uint64_t load_short(const char* text, std::size_t size) {
  if (size >= 4) {
    std::uint32_t front, back;
    std::memcpy(&front, text, 4);
    std::memcpy(&back, text + size - 4, 4);
    return front | std::uint64_t{back} << (8 * (size - 4));
  }
  if (size == 0) return 0;
  const auto byte = [text](std::size_t i) {
    return std::uint64_t{static_cast<std::uint8_t>(text[i])} << (8 * i);
  };
  return byte(0) | byte(size / 2) | byte(size - 1);
}

// A block of bytes: load() takes `size` of them, load_short() fewer and zeros, which are not plain, behind
// them; plain() is how many at the front are, so never more than were loaded.
struct WordBlock {
  static constexpr std::size_t size = 8;

  static WordBlock load(const char* text) { return {load_word(text)}; }
  static WordBlock load_short(const char* text, std::size_t count) {
    return {json_detail::load_short(text, count)};
  }
  void store(char* out) const { std::memcpy(out, &word, sizeof word); }

  // What flags a byte may flag one above it, too, by a borrow, never one below, so the lowest flag is true.
  std::size_t plain() const {
    constexpr std::uint64_t ones = 0x0101010101010101U;
    const auto equal = [this](std::uint64_t byte) {
      const std::uint64_t zero_there = word ^ (ones * byte);
      return (zero_there - ones) & ~zero_there;
    };
    const std::uint64_t below = (word - ones * 0x20) & ~word;
    const std::uint64_t flags = (word | below | equal(0x7f) | equal('"') | equal('\\')) & (ones * 0x80);
    return static_cast<std::size_t>(std::countr_zero(flags)) / 8;
  }

  std::uint64_t word;
};

#ifdef __SSE2__
struct VectorBlock {
  static constexpr std::size_t size = 16;

  static VectorBlock load(const char* text) {
    return {_mm_loadu_si128(reinterpret_cast<const __m128i*>(text))};
  }
  static VectorBlock load_short(const char* text, std::size_t count) {
    if (count <= 8) return of_words(json_detail::load_short(text, count), 0);
    return of_words(load_word(text), load_word(text + count - 8) >> (8 * (16 - count)));
  }
  void store(char* out) const { _mm_storeu_si128(reinterpret_cast<__m128i*>(out), bytes); }

  // Compared as signed, so that what is above 0x7f is below 0x20, too.
  std::size_t plain() const {
    const __m128i below = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
    const __m128i quoted =
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    const __m128i other = _mm_or_si128(below, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)));
    const auto flags = static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(quoted, other)));
    return static_cast<std::size_t>(std::countr_zero(flags | 1U << size));
  }

  __m128i bytes;

 private:
  static VectorBlock of_words(std::uint64_t low, std::uint64_t high) {
    return {_mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low))};
  }
};
using Block = VectorBlock;
#else
using Block = WordBlock;
#endif

struct NoCopy {
  template <class AnyBlock>
  void operator()(std::size_t, AnyBlock) const {}
};

// Hands each block that it looks at to `copy`, with its place.
template <class AnyBlock = Block, class Copy = NoCopy>
std::size_t plain_run(std::string_view text, Copy copy = {}) {
  if constexpr (std::endian::native == std::endian::little) {
    if (text.size() < AnyBlock::size) {
      const auto block = AnyBlock::load_short(text.data(), text.size());
      copy(0, block);
      return block.plain();
    }
    // The last block overlaps the one before: of what it shows again all is plain.
    const std::size_t last = text.size() - AnyBlock::size;
    std::size_t at = 0;
    for (; at < last; at += AnyBlock::size) {
      const auto block = AnyBlock::load(text.data() + at);
      copy(at, block);
      if (const std::size_t count = block.plain(); count < AnyBlock::size) return at + count;
    }
    const auto block = AnyBlock::load(text.data() + last);
    copy(last, block);
    return last + block.plain();
  } else {
    std::size_t at = 0;
    while (at < text.size() && plain(text[at])) ++at;
    return at;
  }
}

// Copies the run to `out`, which has room for all of `text` and for copy_slack bytes; what stands behind the
// run there is undefined.
constexpr std::size_t copy_slack = 16;

template <class AnyBlock = Block>
std::size_t copy_plain_run(char* out, std::string_view text) {
  if constexpr (std::endian::native == std::endian::little) {
    return plain_run<AnyBlock>(text, [out](std::size_t at, AnyBlock block) { block.store(out + at); });
  } else {
    const std::size_t size = plain_run(text);
    std::memcpy(out, text.data(), size);
    return size;
  }
}

}  // namespace sekisho::proxy::json_detail
