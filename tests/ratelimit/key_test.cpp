#include "ratelimit/key.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "ratelimit/siphash.hpp"
#include "ratelimit/word.hpp"

namespace sekisho::ratelimit {
namespace {

// The key of the published vectors: bytes 0 to 15.
constexpr Secret vector_secret{0x0706050403020100, 0x0f0e0d0c0b0a0908};

std::string counting(std::size_t length) {
  std::string bytes;
  for (std::size_t at = 0; at < length; ++at) bytes.push_back(static_cast<char>(at));
  return bytes;
}

template <unsigned rounds, unsigned final_rounds>
std::string hex(std::size_t length) {
  SipHash128<rounds, final_rounds> hash(vector_secret);
  std::string text;
  for (std::uint64_t half : hash.finish(counting(length))) {
    for (int byte = 0; byte < 8; ++byte, half >>= 8) {
      text += "0123456789ABCDEF"[half >> 4 & 15];
      text += "0123456789ABCDEF"[half & 15];
    }
  }
  return text;
}

TEST(SipHash, TwoFourAgreesWithThePublishedVectors) {
  EXPECT_EQ((hex<2, 4>(0)), "A3817F04BA25A8E66DF67214C7550293");
  EXPECT_EQ((hex<2, 4>(1)), "DA87C1D86B99AF44347659119B22FC45");
  EXPECT_EQ((hex<2, 4>(63)), "5150D1772F50834A503E069A973FBD7C");
}

// Computed with `openssl mac -macopt c-rounds:1 -macopt d-rounds:3 -macopt size:16 SIPHASH`.
TEST(SipHash, OneThreeAgreesWithAnotherImplementation) {
  EXPECT_EQ((hex<1, 3>(0)), "E77EBCB22788A5BEFD62DB6ADD303001");
  EXPECT_EQ((hex<1, 3>(1)), "FC6F370460D3EDA85E0573CC2B2FF063");
  EXPECT_EQ((hex<1, 3>(8)), "AA12FEE1D5E3DAB4724F16AB35F9C799");
  EXPECT_EQ((hex<1, 3>(15)), "C17E5505B2BD526C2921CDEC1E7E0109");
  EXPECT_EQ((hex<1, 3>(16)), "D0A8D95715518EEBB513B0F83D9E1793");
  EXPECT_EQ((hex<1, 3>(23)), "1D127B84405CEAB99FD8775A9BE6C559");
  EXPECT_EQ((hex<1, 3>(64)), "1253DEF24B4AA5364EC8A759BA6A66C2");
}

TEST(KeyHasher, HashesTheSaltBeforeTheBytes) {
  std::uint64_t salt;
  const std::string bytes = counting(20);
  std::memcpy(&salt, bytes.data(), sizeof salt);
  const Key salted = KeyHasher(vector_secret)(salt, std::string_view(bytes).substr(8));
  const auto [first, last] = SipHash128<1, 3>(vector_secret).finish(bytes);
  EXPECT_EQ(salted, (Key{first, last}));
}

TEST(KeyHasher, TellsApartSaltsSecretsAndLengths) {
  const KeyHasher hasher(vector_secret);
  std::set<std::uint64_t> halves;
  for (const Key key : {hasher(1, "a"), hasher(2, "a"), hasher(1, ""), hasher(1, std::string_view("a\0", 2)),
                        KeyHasher({1, 2})(1, "a")}) {
    halves.insert(key.high);
    halves.insert(key.low);
  }
  EXPECT_EQ(halves.size(), 10U);
}

TEST(Word, KeepsTagKindAndValueApart) {
  constexpr std::uint64_t tag = word::tag_mask;
  static_assert(word::value(word::member(tag, word::value_mask)) == word::value_mask);
  static_assert(word::tag(word::member(tag, 0)) == tag && word::tag(word::claim(tag, 0)) == tag);
  static_assert(word::is_member_of(word::member(tag, 7), tag) &&
                !word::is_member_of(word::claim(tag, 7), tag));
  static_assert(word::is_claim(word::claim(1, 0)) && !word::is_claim(word::member(1, word::value_mask)));
  // Tag 0 is the empty word's alone.
  static_assert(word::tag_of({0, 0}) == 1 && word::tag_of({0, std::uint64_t{1} << word::tag_bits}) == 1);
  static_assert(!word::is_member_of(word::empty, 1));
}

}  // namespace
}  // namespace sekisho::ratelimit
