// A fast keyed hash of short texts, for chains that one worker walks alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "ratelimit/key.hpp"

namespace sekisho::ratelimit {

// Multiply and fold, 16 bytes a step. Under a secret that nobody outside knows, and whose results nobody
// outside sees, clients cannot make texts fall into one chain. Where an equal hash would make two clients
// one, KeyHasher is the one to use. Immutable; safe to share.
class TextHasher {
 public:
  explicit TextHasher(Secret secret) : secret_(secret) {}

  std::uint64_t operator()(std::string_view text) const {
    std::uint64_t hash = secret_[1];
    const char* at = text.data();
    std::size_t left = text.size();
    for (; left > 16; left -= 16, at += 16) hash = fold(word(at) ^ secret_[0], word(at + 8) ^ hash);
    // The rest, together with bytes before it where there are some. The length comes in at the end: beside
    // bytes of the text it could be undone by them.
    const auto [first, last] = ends_of(text);
    hash = fold(first ^ secret_[0], last ^ hash);
    return fold(hash ^ secret_[0], secret_[1] ^ text.size());
  }

 private:
  struct Ends {
    std::uint64_t first, last;
  };
  // The last 16 bytes, overlapping where there are fewer.
  static Ends ends_of(std::string_view text) {
    const char* const end = text.data() + text.size();
    if (text.size() > 16) return {word(end - 16), word(end - 8)};
    if (text.size() >= 8) return {word(text.data()), word(end - 8)};
    if (text.size() >= 4) return {word<std::uint32_t>(text.data()), word<std::uint32_t>(end - 4)};
    if (text.empty()) return {0, 0};
    const auto byte = [&](std::size_t i) { return std::uint64_t{static_cast<std::uint8_t>(text[i])}; };
    return {byte(0) << 16 | byte(text.size() / 2) << 8 | byte(text.size() - 1), 0};
  }
  template <class Word = std::uint64_t>
  static Word word(const char* at) {
    Word bytes;
    std::memcpy(&bytes, at, sizeof bytes);
    return bytes;
  }
  static std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }

  Secret secret_;
};

}  // namespace sekisho::ratelimit
