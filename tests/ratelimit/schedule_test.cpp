// The real table under every interleaving of small cases, and under random ones of larger.
#include "tests/ratelimit/schedule.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>

#include "ratelimit/buckets.hpp"
#include "tests/ratelimit/random.hpp"

namespace sekisho::ratelimit {
namespace {

using test::Explored;
using test::Scenario;
using test::Schedule;
using test::ScheduledAtomics;

constexpr Key key{0x123456789abcdef0, 42};
constexpr Key other{0x0edcba9876543210, 43};
constexpr std::uint64_t foreign_tag = 1000;
constexpr std::uint64_t burst = 3;

// Buckets of two lines under a frozen clock, so that all keys share all sixteen words and every token is
// accounted for.
class Interleavings : public testing::Test {
 protected:
  void SetUp() override {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "one thread, and ThreadSanitizer does not know its fibers";
#endif
  }

  // Words of others in debt everywhere but in `free` ones, spread over both lines.
  void leave_free(std::initializer_list<std::size_t> free) {
    for (std::size_t at = 0; at < 16; ++at) before_[at] = word::member(foreign_tag + at, 5);
    for (const std::size_t at : free) before_[at] = word::empty;
  }
  void put(std::size_t at, std::uint64_t word) {
    before_[at] = word;
  }

  std::function<void()> charges(std::initializer_list<Key> keys) {
    return [this, keys = std::vector<Key>(keys)] {
      for (const Key& each : keys) {
        schedule_.begin_operation();
        if (buckets_.charge(each, 0, 1, burst, 0).admitted) ++admitted_;
      }
    };
  }
  // A charge and its refund.
  std::function<void()> comes_and_goes() {
    return [this] {
      schedule_.begin_operation();
      if (!buckets_.charge(key, 0, 1, burst, 0).admitted) return;
      ++admitted_;
      schedule_.begin_operation();
      buckets_.refund(key, 0, 1, 0);
      --admitted_;
    };
  }
  std::function<void()> sweeps() {
    return [this] {
      schedule_.begin_operation();
      buckets_.sweep(0, 0);
    };
  }

  Scenario scenario(std::vector<std::function<void()>> threads) {
    return {words(), [this] { reset(); }, std::move(threads), [this] { return fault(); }};
  }

  Explored explore(std::vector<std::function<void()>> threads, int preemptions = Schedule::unbounded) {
    const Explored explored = schedule_.explore(scenario(std::move(threads)), preemptions);
    EXPECT_EQ(explored.failure, "");
    EXPECT_GT(explored.states, 500U) << "this is no search";
    std::printf("           %s: %llu runs, %llu states, %.3g interleavings\n",
                testing::UnitTest::GetInstance()->current_test_info()->name(),
                static_cast<unsigned long long>(explored.runs),
                static_cast<unsigned long long>(explored.states), explored.interleavings);
    return explored;
  }

  Schedule schedule_;

 private:
  std::span<std::uint64_t> words() {
    const auto seen = buckets_.table().words();
    return {const_cast<std::uint64_t*>(seen.data()), seen.size()};
  }

  void reset() {
    std::ranges::copy(before_, words().begin());
    admitted_ = 0;
    evicted_before_ = buckets_.evicted().units;
  }

  static std::uint64_t owed(std::span<const std::uint64_t> words) {
    std::uint64_t sum = 0;
    for (const std::uint64_t seen : words) sum += word::is_claim(seen) ? 0 : Gcra::debt(word::value(seen), 0);
    return sum;
  }

  // At most one member a key; no claim but one that was there before, and that one not beyond a sweep; no
  // token lost.
  std::string fault() {
    std::map<std::uint64_t, int> members;
    for (std::size_t at = 0; at < 16; ++at) {
      const std::uint64_t seen = words()[at];
      if (word::is_claim(seen) && seen != before_[at]) return "a claim was left behind";
      if (seen != word::empty && !word::is_claim(seen) && ++members[word::tag(seen)] > 1)
        return "a key has two members";
    }
    const std::uint64_t evicted = buckets_.evicted().units - evicted_before_;
    if (owed(before_) + admitted_ != owed(words()) + evicted) return "tokens were lost or made";
    buckets_.sweep(0, 0);
    for (const std::uint64_t seen : words()) {
      if (word::is_claim(seen)) return "a claim outlived the sweep";
    }
    return "";
  }

  Buckets<ScheduledAtomics> buckets_{1};
  std::array<std::uint64_t, 16> before_{};
  std::uint64_t admitted_ = 0;
  std::uint64_t evicted_before_ = 0;
};

TEST_F(Interleavings, TwoThreadsMeetAFreshKey) {
  leave_free({2, 9, 12});
  EXPECT_GT(explore({charges({key, key}), charges({key, key})}).interleavings, 1e6);
}

TEST_F(Interleavings, TwoKeysWantTheLastWord) {
  leave_free({5});
  explore({charges({key, key}), charges({other, other})});
}

TEST_F(Interleavings, AFullPairOfLinesEvicts) {
  leave_free({});
  put(3, word::member(foreign_tag + 3, 1));
  put(11, word::member(foreign_tag + 11, 2));
  explore({charges({key, key}), test::sanitized ? charges({other}) : charges({other, key})});
}

TEST_F(Interleavings, IdleWordsOfOthersAreTaken) {
  leave_free({});
  put(4, word::member(foreign_tag + 4, 0));
  put(13, word::member(foreign_tag + 13, 0));
  explore({charges({key, key}), test::sanitized ? charges({other}) : charges({key, other})});
}

TEST_F(Interleavings, AnIdleMemberOfTheKeyIsUsedOrSwept) {
  leave_free({6});
  put(14, word::member(word::tag_of(key), 0));
  explore({charges({key, key}), [charge = charges({key}), sweep = sweeps()] { sweep(), charge(); }});
}

TEST_F(Interleavings, AClaimantDiedBefore) {
  leave_free({1, 9});
  put(0, word::claim(word::tag_of(key), 99));
  explore({charges({key}), charges({key})});
}

TEST_F(Interleavings, ASweepKillsClaims) {
  leave_free({2, 9});
  explore({charges({key, key}), [charge = charges({key}), sweep = sweeps()] { sweep(), charge(); }});
}

TEST_F(Interleavings, RefundsLoseNothing) {
  leave_free({2, 9});
  explore({comes_and_goes(), [charge = charges({key}), both = comes_and_goes()] { charge(), both(); }});
}

TEST_F(Interleavings, ThreeThreadsMeetAFreshKey) {
  leave_free({2, 9, 12});
  explore({charges({key}), charges({key}), charges({key})}, test::sanitized ? 2 : 3);
}

TEST_F(Interleavings, ThreeThreadsAndASweep) {
  leave_free({2, 9});
  explore({charges({key}), charges({key}), sweeps(), charges({key})}, 2);
}

// Four threads, two keys, evictions and sweeps, by priorities: a failure prints its seed.
TEST_F(Interleavings, ByRandomPriorities) {
  for (const std::uint64_t seed : test::seeds(6000)) {
    SCOPED_TRACE(seed);
    leave_free({});
    test::Random random(seed);
    for (std::int64_t free = random(0, 4); free > 0; --free)
      put(static_cast<std::size_t>(random(0, 15)),
          random.one_in(4) ? word::claim(word::tag_of(key), 99) : word::empty);
    ASSERT_EQ(schedule_.run_by_priorities(
                  scenario({charges({key, other, key}), charges({key, key, other}), charges({other, key}),
                            [charge = charges({key}), sweep = sweeps()] { charge(), sweep(); }}),
                  seed, static_cast<int>(random(1, 4))),
              "");
  }
}

}  // namespace
}  // namespace sekisho::ratelimit
