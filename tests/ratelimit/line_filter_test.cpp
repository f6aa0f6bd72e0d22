#include "ratelimit/line_filter.hpp"

#include <gtest/gtest.h>

#include <array>

#include "tests/ratelimit/random.hpp"

namespace sekisho::ratelimit {
namespace {

struct alignas(64) Line {
  std::array<std::uint64_t, line_filter::words> words{};
};

std::uint64_t any_value(test::Random& random) {
  return static_cast<std::uint64_t>(random(0, static_cast<std::int64_t>(word::value_mask)));
}

class LineFilter : public testing::Test {
 protected:
  void SetUp() override {
    if (!line_filter::present) GTEST_SKIP() << "there is none in this build";
  }
};

TEST_F(LineFilter, FindsAMemberWhereverItStandsAndWhateverItsValue) {
  for (const std::uint64_t seed : test::seeds(200)) {
    SCOPED_TRACE(seed);
    test::Random random(seed);
    for (const std::uint64_t tag :
         {std::uint64_t{1}, word::tag_mask, word::tag_mask >> 1, std::uint64_t{42}}) {
      for (unsigned at = 0; at < line_filter::words; ++at) {
        Line line;
        // Neighbours that differ in one bit of the tag.
        for (std::uint64_t& other : line.words)
          other = word::member(tag ^ std::uint64_t{1} << random(0, word::tag_bits - 1), any_value(random));
        ASSERT_EQ(line_filter::find(line.words.data(), tag), line_filter::none);
        line.words[at] = word::member(tag, any_value(random));
        ASSERT_EQ(line_filter::find(line.words.data(), tag), at);
      }
    }
  }
}

TEST_F(LineFilter, TakesNeitherAClaimNorAnEmptyWordForAMember) {
  Line line;
  EXPECT_EQ(line_filter::find(line.words.data(), 1), line_filter::none);
  for (std::uint64_t& claimed : line.words) claimed = word::claim(42, word::value_mask);
  EXPECT_EQ(line_filter::find(line.words.data(), 42), line_filter::none);
}

TEST_F(LineFilter, OfTwoMembersItNamesTheFirst) {
  Line line;
  line.words[3] = line.words[6] = word::member(42, 7);
  EXPECT_EQ(line_filter::find(line.words.data(), 42), 3U);
}

}  // namespace
}  // namespace sekisho::ratelimit
