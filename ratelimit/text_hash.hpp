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
    std::uint64_t hash = secret_[1] ^ text.size();
    while (text.size() > 16) {
      hash = fold(word(text) ^ secret_[0], word(text.substr(8)) ^ hash);
      text.remove_prefix(16);
    }
    const std::string_view rest = text.size() > 8 ? text.substr(8) : std::string_view();
    hash = fold(tail(text) ^ secret_[0], tail(rest) ^ hash);
    return fold(hash ^ secret_[0], secret_[1]);
  }

 private:
  static std::uint64_t word(std::string_view text) {
    std::uint64_t bytes;
    std::memcpy(&bytes, text.data(), sizeof bytes);
    return bytes;
  }
  // The first eight bytes, or fewer with zeros behind them (the length is hashed apart).
  static std::uint64_t tail(std::string_view text) {
    if (text.size() >= sizeof(std::uint64_t)) return word(text);
    std::uint64_t bytes = 0;
    for (std::size_t at = text.size(); at-- > 0;) bytes = bytes << 8 | static_cast<std::uint8_t>(text[at]);
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
