#include "ratelimit/table.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "ratelimit/atomics.hpp"
#include "ratelimit/buckets.hpp"

namespace sekisho::ratelimit {
namespace {

Key key_of(std::uint64_t number) {
  return {(number + 1) * 0x9e3779b97f4a7c15U, number + 1};
}

TEST(Table, PlacesAKeyInTwoDifferentLinesWithinBounds) {
  for (const std::size_t capacity : {1U, 5U, 1000U, 4099U}) {
    const Table<StdAtomics> table(capacity);
    EXPECT_EQ(table.words().size_bytes(), Table<StdAtomics>::bytes_for(capacity));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(table.words().data()) % Table<StdAtomics>::line_bytes, 0U);
    for (std::uint64_t at = 0; at < 10'000; ++at) {
      const auto place = table.place({at * 0xd1342543de82ef95U, at});
      ASSERT_NE(place.first, place.second);
      ASSERT_EQ(place.first % 8 + place.second % 8, 0U);
      ASSERT_LT(std::max(place.first, place.second), table.words().size());
    }
    const auto last = table.place({~std::uint64_t{0}, 0});
    ASSERT_LT(std::max(last.first, last.second), table.words().size());
  }
}

TEST(Table, AKeyWhoseTagWouldBeZeroIsNotSeenInEmptyWords) {
  const Table<StdAtomics> table(1);
  EXPECT_FALSE(table.find(table.place({5, 0})));
  // A debt whose value is 0 as well: without a tag it would be an empty word.
  Buckets<StdAtomics> buckets(1);
  const std::uint64_t now = word::value_mask + 1 - 10;
  EXPECT_TRUE(buckets.charge({5, 0}, now, 10, 10, now).admitted);
  EXPECT_FALSE(buckets.charge({5, 0}, now, 10, 10, now).admitted);
}

TEST(Table, HoldsItsCapacityWithoutDroppingAnyone) {
  constexpr std::uint64_t capacity = 50'000;
  Buckets<StdAtomics> buckets(capacity);
  // Steady state and not only a first fill: each generation goes idle as the next one comes.
  for (std::uint64_t turn = 0; turn < 4; ++turn) {
    const std::uint64_t now = turn * 1000;
    for (std::uint64_t at = 0; at < capacity; ++at) {
      ASSERT_TRUE(buckets.charge(key_of(turn * capacity + at), now, 10, 10, now - 100).admitted);
    }
    for (std::uint64_t at = 0; at < capacity; ++at) {
      ASSERT_FALSE(buckets.peek(key_of(turn * capacity + at), now, 1, 10).admitted);
    }
  }
  EXPECT_EQ(buckets.evicted().buckets, 0U);
}

// Fills one line pair by hand: the key's own idle word is used, not joined by a second one.
TEST(Table, AnIdleWordOfTheKeyIsTheKeysOwn) {
  Buckets<StdAtomics> buckets(1);
  buckets.charge(key_of(1), 0, 5, 10, 0);
  buckets.charge(key_of(1), 1'000'000, 5, 10, 900'000);
  int members = 0;
  for (const std::uint64_t seen : buckets.table().words()) members += seen != word::empty ? 1 : 0;
  EXPECT_EQ(members, 1);
}

TEST(Table, TakesSpentWordsButNotThoseThatAnOlderStampStillOwes) {
  Buckets<StdAtomics> buckets(1);
  for (std::uint64_t at = 0; at < 16; ++at) buckets.charge(key_of(at), 0, 5, 10, 0);
  // At 6 nobody owes anything, but a thread whose stamp is 4 would see every debt.
  buckets.charge(key_of(16), 6, 5, 10, 4);
  EXPECT_EQ(buckets.evicted().buckets, 1U);
  EXPECT_EQ(buckets.evicted().units, 0U);
  buckets.charge(key_of(17), 6, 5, 10, 5);
  EXPECT_EQ(buckets.evicted().buckets, 1U) << "at 5 they are spent";
}

TEST(Table, SweepKillsAnAbandonedClaim) {
  Table<StdAtomics> table(1);
  table.words()[3] = word::claim(77, 12345);
  int shown = 0;
  table.sweep(DebtRules{0, 0}, [&](std::uint64_t) { ++shown; });
  EXPECT_EQ(table.words()[3], word::empty);
  EXPECT_EQ(shown, 0);
}

TEST(Table, AnAbandonedClaimOfHigherPriorityIsOutwaited) {
  Table<StdAtomics> table(1);
  const auto place = table.place(key_of(1));
  table.words()[0] = word::claim(place.tag, 12345);
  table.update(place, DebtRules{0, 0},
               [](std::optional<std::uint64_t>) { return std::optional<std::uint64_t>(9); });
  EXPECT_EQ(table.find(place), 9U);
  int words = 0;
  for (const std::uint64_t seen : table.words()) words += seen != word::empty ? 1 : 0;
  EXPECT_EQ(words, 1) << "the claim is gone";
}

TEST(Table, ARefusalStoresNothing) {
  Buckets<StdAtomics> buckets(1000);
  for (std::uint64_t at = 0; at < 100; ++at) {
    while (buckets.charge(key_of(at), 0, 1, 3, 0).admitted) continue;
  }
  // Any store from here on ends the process.
  const Pages& pages = buckets.table().pages();
  ASSERT_EQ(::mprotect(pages.data(), pages.mapped_bytes(), PROT_READ), 0);
  for (std::uint64_t at = 0; at < 100; ++at) {
    EXPECT_FALSE(buckets.charge(key_of(at), 0, 1, 3, 0).admitted);
    EXPECT_FALSE(buckets.peek(key_of(at), 0, 1, 3).admitted);
    EXPECT_TRUE(buckets.peek(key_of(at + 100), 0, 1, 3).admitted);
    EXPECT_FALSE(buckets.charge(key_of(at + 100), 0, 4, 3, 0).admitted) << "more than a whole bucket";
    buckets.refund(key_of(at + 100), 0, 1, 0);
  }
  ASSERT_EQ(::mprotect(pages.data(), pages.mapped_bytes(), PROT_READ | PROT_WRITE), 0);
}

}  // namespace
}  // namespace sekisho::ratelimit
