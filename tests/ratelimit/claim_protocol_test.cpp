// The claim protocol under a policy that interrupts it: at each access of one insert, others run from end to
// end.
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <optional>

#include "ratelimit/buckets.hpp"
#include "ratelimit/table.hpp"
#include "tests/ratelimit/random.hpp"

namespace sekisho::ratelimit {
namespace {

// Single-threaded, so plain accesses are sequentially consistent. `interrupt` runs before every access to a
// word.
struct InterruptedAtomics {
  static inline std::function<void()> interrupt;
  static inline std::uint64_t claims = 0;

  static std::uint64_t load(const std::uint64_t& word, std::memory_order) {
    interrupt();
    return word;
  }
  static bool compare_exchange_weak(std::uint64_t& word, std::uint64_t& expected, std::uint64_t desired,
                                    std::memory_order) {
    interrupt();
    if (word == expected) {
      word = desired;
      return true;
    }
    expected = word;
    return false;
  }
  static bool compare_exchange_strong(std::uint64_t& word, std::uint64_t& expected, std::uint64_t desired,
                                      std::memory_order order) {
    return compare_exchange_weak(word, expected, desired, order);
  }
  static void pause() {}
  static std::uint64_t claim_id() { return ++claims; }
};

using InterruptedTable = Table<InterruptedAtomics>;

// Foreign entries go idle where a test says so; the key's own (small counts) never do.
struct ForeignRules {
  static constexpr bool evicts = true;
  bool spent(std::uint64_t value) const { return value == 0; }
  std::uint64_t weight(std::uint64_t value) const { return value; }
};

constexpr Key key{0x123456789abcdef0, 42};
constexpr std::uint64_t foreign_tag = 1000;

void count_one(InterruptedTable& table) {
  table.update(table.place(key), ForeignRules{},
               [](std::optional<std::uint64_t> value) { return std::optional(value.value_or(100'000) + 1); });
}

// Some words taken by others, at random, so that the claims land in every order.
void fill(InterruptedTable& table, test::Random& random) {
  const std::int64_t full = random(0, 9);
  for (std::size_t at = 0; at < table.words().size(); ++at) {
    if (random(0, 9) >= full) continue;
    table.words()[at] =
        word::member(foreign_tag + at, random.one_in(4) ? 0 : static_cast<std::uint64_t>(random(1, 9)));
  }
}

void free_one(InterruptedTable& table, test::Random& random) {
  std::uint64_t& word = table.words()[static_cast<std::size_t>(random(0, 15))];
  if (word::tag(word) >= foreign_tag) word = word::empty;
}

// Runs updates nested in each other: the one at `depth` is interrupted once, at its access number
// points[depth]. Returns whether every interruption took place.
template <std::size_t depths>
bool run_nested(InterruptedTable& table, test::Random& random, const std::array<int, depths>& points) {
  std::size_t depth = 0;
  int left = points[0];
  InterruptedAtomics::interrupt = [&] {
    if (depth >= depths || left-- > 0) return;
    ++depth;
    left = depth < depths ? points[depth] : 0;
    if (random.one_in(2)) free_one(table, random);
    count_one(table);
    if (random.one_in(4)) free_one(table, random);
  };
  count_one(table);
  InterruptedAtomics::interrupt = [] {};
  return depth == depths;
}

void expect_one_member(const InterruptedTable& table, std::uint64_t updates) {
  int members = 0;
  for (const std::uint64_t seen : table.words()) {
    ASSERT_FALSE(word::is_claim(seen)) << "a claim was left behind";
    if (word::tag(seen) != word::tag_of(key)) continue;
    ++members;
    ASSERT_EQ(word::value(seen), 100'000 + updates) << "an update was lost";
  }
  ASSERT_EQ(members, 1);
}

TEST(ClaimProtocol, SurvivesAWholeInsertAtEveryAccess) {
  for (const std::uint64_t seed : test::seeds(300)) {
    SCOPED_TRACE(seed);
    for (int point = 0;; ++point) {
      SCOPED_TRACE(point);
      test::Random random(seed);
      InterruptedTable table(1);
      fill(table, random);
      if (!run_nested<1>(table, random, {point})) break;
      ASSERT_NO_FATAL_FAILURE(expect_one_member(table, 2));
    }
  }
}

TEST(ClaimProtocol, SurvivesInsertsWithinInserts) {
  for (const std::uint64_t seed : test::seeds(4)) {
    SCOPED_TRACE(seed);
    for (int outer = 0; outer < 60; ++outer) {
      for (int inner = 0; inner < 60; ++inner) {
        test::Random random(seed);
        InterruptedTable table(1);
        fill(table, random);
        if (!run_nested<2>(table, random, {outer, inner})) break;
        SCOPED_TRACE(testing::Message() << outer << ", " << inner);
        ASSERT_NO_FATAL_FAILURE(expect_one_member(table, 3));
      }
    }
  }
}

// The look and the swap of a charge that finds its member.
TEST(ClaimProtocol, AChargeThatIsOvertakenCountsBoth) {
  for (int point = 0;; ++point) {
    SCOPED_TRACE(point);
    InterruptedAtomics::interrupt = [] {};
    Buckets<InterruptedAtomics> buckets(1);
    ASSERT_TRUE(buckets.charge(key, 0, 1, 100, 0).admitted);
    int left = point;
    bool overtaken = false;
    InterruptedAtomics::interrupt = [&] {
      if (overtaken || left-- > 0) return;
      overtaken = true;
      ASSERT_TRUE(buckets.charge(key, 0, 10, 100, 0).admitted);
    };
    const auto outcome = buckets.charge(key, 0, 1, 100, 0);
    InterruptedAtomics::interrupt = [] {};
    if (!overtaken) break;
    EXPECT_TRUE(outcome.admitted);
    EXPECT_EQ(outcome.debt, 12U);
    EXPECT_EQ(buckets.peek(key, 0, 1, 100).debt, 13U) << "as if one more were charged";
  }
}

}  // namespace
}  // namespace sekisho::ratelimit
