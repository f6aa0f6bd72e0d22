// SipHash with 128 bits of output (Aumasson and Bernstein, "SipHash: a fast short-input PRF", and its
// appendix).
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace sekisho::ratelimit {

// `rounds` per word of input and `final_rounds` before each half of the result. Fed whole words, then the
// rest once.
template <unsigned rounds, unsigned final_rounds>
class SipHash128 {
  static_assert(std::endian::native == std::endian::little, "words are read in the processor's order");

 public:
  explicit SipHash128(std::array<std::uint64_t, 2> secret)
      : v0_(secret[0] ^ 0x736f6d6570736575U),
        v1_(secret[1] ^ 0x646f72616e646f6dU ^ 0xee),
        v2_(secret[0] ^ 0x6c7967656e657261U),
        v3_(secret[1] ^ 0x7465646279746573U) {}

  void word(std::uint64_t input) {
    v3_ ^= input;
    mix(rounds);
    v0_ ^= input;
    length_ += sizeof input;
  }

  // The result for all words so far followed by `tail`: its low half first, as the reference writes its
  // bytes.
  std::array<std::uint64_t, 2> finish(std::string_view tail) {
    for (; tail.size() >= sizeof(std::uint64_t); tail.remove_prefix(sizeof(std::uint64_t))) {
      std::uint64_t input;
      std::memcpy(&input, tail.data(), sizeof input);
      word(input);
    }
    std::uint64_t last = 0;
    if (!tail.empty()) std::memcpy(&last, tail.data(), tail.size());
    word(last | (length_ + tail.size()) << 56);
    v2_ ^= 0xee;
    mix(final_rounds);
    const std::uint64_t low = v0_ ^ v1_ ^ v2_ ^ v3_;
    v1_ ^= 0xdd;
    mix(final_rounds);
    return {low, v0_ ^ v1_ ^ v2_ ^ v3_};
  }

 private:
  void mix(unsigned times) {
    for (unsigned round = 0; round < times; ++round) {
      v0_ += v1_;
      v1_ = std::rotl(v1_, 13) ^ v0_;
      v0_ = std::rotl(v0_, 32);
      v2_ += v3_;
      v3_ = std::rotl(v3_, 16) ^ v2_;
      v0_ += v3_;
      v3_ = std::rotl(v3_, 21) ^ v0_;
      v2_ += v1_;
      v1_ = std::rotl(v1_, 17) ^ v2_;
      v2_ = std::rotl(v2_, 32);
    }
  }

  std::uint64_t v0_;
  std::uint64_t v1_;
  std::uint64_t v2_;
  std::uint64_t v3_;
  std::uint64_t length_ = 0;
};

}  // namespace sekisho::ratelimit
