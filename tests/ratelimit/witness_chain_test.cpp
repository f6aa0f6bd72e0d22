// Ten million operations of several threads, each with what it saw and what it left: afterwards every key's
// must make one chain.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ratelimit/atomics.hpp"
#include "ratelimit/debt_rules.hpp"
#include "ratelimit/gcra.hpp"
#include "ratelimit/table.hpp"
#include "tests/ratelimit/random.hpp"
#include "tests/ratelimit/threads.hpp"

namespace sekisho::ratelimit {
namespace {

constexpr int threads = 4;
constexpr int keys = 20'000;
constexpr std::int64_t burst = std::int64_t{1} << 24;
constexpr std::int64_t margin = 1 << 26;  // no stamp in use is older than another by more
// Every value ends in a number that no other of its round ends in, so that a value is one moment of its key's
// life.
constexpr std::int64_t nonces = std::int64_t{1} << 20;
constexpr std::int64_t none = INT64_MIN;

enum class Kind : std::uint8_t { charge, refusal, refund };

// Values are the clock's readings in full, not modulo 2^36.
struct Witness {
  std::int32_t key;
  Kind kind;
  std::int64_t stamp;
  std::int64_t before;  // none: no member
  std::int64_t after;   // of a refusal: as before
};

Key key_of(std::int32_t number) {
  const auto wide = static_cast<std::uint64_t>(number) + 1;
  return {wide * 0x9e3779b97f4a7c15U, wide};
}

std::uint64_t wrapped(std::int64_t units) {
  return static_cast<std::uint64_t>(units) & Gcra::mask;
}

class Chains : public testing::Test {
 protected:
  // One thread's part of a round: charges of some size, refunds, and now and then a sweep.
  std::vector<Witness> work(int number, int operations, std::uint64_t seed) {
    test::Random random(seed);
    std::vector<Witness> seen;
    seen.reserve(static_cast<std::size_t>(operations));
    for (int at = 0; at < operations; ++at) {
      const std::int64_t now = next_stamp(number, random(0, 1 << 14)) - random(0, margin / 4);
      if (number == 0 && at % 2000 == 0) {
        table_.sweep(DebtRules{wrapped(now), wrapped(now - margin)}, [](std::uint64_t) {});
      }
      const std::int64_t nonce = std::int64_t{at} * threads + number;
      // A few keys are in dispute all the time, the others go idle again and again.
      const auto key = static_cast<std::int32_t>(random.one_in(3) ? random(0, 3) : random(0, keys - 1));
      seen.push_back(random.one_in(5) ? refund(key, now, nonce)
                                      : charge(key, now, random(nonces, burst / 4), nonce));
    }
    reached_[static_cast<std::size_t>(number)] = INT64_MAX;
    return seen;
  }

  void begin_round() {
    for (auto& each : reached_) each = clock_.load();
  }

  std::map<std::int32_t, std::int64_t> last_;  // each key's value at the end of the round before
  // The clock begins so that the 36 bits come round twice.
  std::atomic<std::int64_t> clock_{(std::int64_t{1} << 36) - 1000};
  Table<StdAtomics> table_{4 * keys};

 private:
  // Advances the clock; waits for a thread that is so far behind that its stamp would be older than `margin`
  // allows.
  std::int64_t next_stamp(int number, std::int64_t step) {
    const std::int64_t time = clock_.fetch_add(step);
    reached_[static_cast<std::size_t>(number)] = time;
    for (const auto& other : reached_) {
      while (other.load() < time - margin / 2) std::this_thread::yield();
    }
    return time;
  }

  static std::int64_t in_full(std::uint64_t value, std::int64_t now) {
    return now + Gcra::distance(value, wrapped(now));
  }

  // The least value not below `least` that ends in `nonce`.
  static std::int64_t ending_in(std::int64_t least, std::int64_t nonce) {
    return least + ((nonce - least) & (nonces - 1));
  }

  Witness charge(std::int32_t key, std::int64_t now, std::int64_t cost, std::int64_t nonce) {
    Witness seen{key, Kind::charge, now, none, none};
    const auto decide = [&](std::optional<std::uint64_t> value) -> std::optional<std::uint64_t> {
      seen.before = value ? in_full(*value, now) : none;
      const std::uint64_t debt = value ? Gcra::debt(*value, wrapped(now)) : 0;
      const std::int64_t after = ending_in(now + static_cast<std::int64_t>(debt) + cost, nonce);
      const auto exact_cost = static_cast<std::uint64_t>(after - now) - debt;
      const bool admitted = Gcra::admits(debt, exact_cost, static_cast<std::uint64_t>(burst));
      seen.kind = admitted ? Kind::charge : Kind::refusal;
      seen.after = admitted ? after : seen.before;
      if (!admitted) return std::nullopt;
      return Gcra::value_of(debt + exact_cost, wrapped(now));
    };
    update(key, now, decide);
    return seen;
  }

  Witness refund(std::int32_t key, std::int64_t now, std::int64_t nonce) {
    Witness seen{key, Kind::refund, now, none, none};
    const auto decide = [&](std::optional<std::uint64_t> value) -> std::optional<std::uint64_t> {
      seen.kind = Kind::refusal;
      seen.before = seen.after = value ? in_full(*value, now) : none;
      const std::uint64_t debt = value ? Gcra::debt(*value, wrapped(now)) : 0;
      if (debt < 3 * nonces) return std::nullopt;  // nothing given back: a look
      seen.kind = Kind::refund;
      seen.after = ending_in(seen.before - 2 * nonces, nonce);
      return Gcra::value_of(Gcra::refunded(debt, static_cast<std::uint64_t>(seen.before - seen.after)),
                            wrapped(now));
    };
    update(key, now, decide);
    return seen;
  }

  template <class Decide>
  void update(std::int32_t key, std::int64_t now, const Decide& decide) {
    const Update done =
        table_.update(table_.place(key_of(key)), DebtRules{wrapped(now), wrapped(now - margin)}, decide);
    if (done.evictions > 0) evicted_.fetch_add(done.evictions);
  }

 protected:
  std::atomic<std::uint64_t> evicted_{0};

 private:
  std::array<std::atomic<std::int64_t>, threads> reached_{};
};

// The writes of one key, put in their order: chain[n].before is chain[n - 1].after, or none where that had
// gone idle by then. Sorting by value and a walk: no search.
class Chain {
 public:
  // Empty `fault` if they make one chain that goes on from `start`.
  Chain(std::vector<Witness> writes, std::int64_t start) {
    std::map<std::int64_t, Witness> by_before;
    std::vector<Witness> fresh;
    for (const Witness& write : writes) {
      if (write.before == none) {
        fresh.push_back(write);
      } else if (!by_before.emplace(write.before, write).second) {
        fault = "two writes followed one value";
        return;
      }
    }
    std::ranges::sort(fresh, {}, &Witness::stamp);
    append(start);
    follow(by_before);
    for (const Witness& first : fresh) {
      if (last != none && last > first.stamp) {
        fault = "a member in debt was lost";
        return;
      }
      append(first.after);
      follow(by_before);
    }
    if (!by_before.empty()) fault = "a write followed a value that nobody left";
  }

  bool has(std::int64_t value) const { return place.contains(value); }

  std::string fault;
  std::int64_t last = none;
  std::map<std::int64_t, std::size_t> place;  // where in the chain each value was left

 private:
  void append(std::int64_t value) {
    last = value;
    if (value != none) place.emplace(value, place.size());
  }
  void follow(std::map<std::int64_t, Witness>& by_before) {
    for (auto next = by_before.find(last); next != by_before.end(); next = by_before.find(last)) {
      append(next->second.after);
      by_before.erase(next);
    }
  }
};

TEST_F(Chains, OfTenMillionOperationsHaveNoForkAndNoGap) {
  constexpr int rounds = test::sanitized ? 5 : 50;
  constexpr int operations = test::sanitized ? 10'000 : 50'000;
  std::uint64_t charges = 0;
  std::uint64_t refusals = 0;
  std::uint64_t refunds = 0;
  std::uint64_t renewals = 0;
  for (int round = 0; round < rounds; ++round) {
    std::array<std::vector<Witness>, threads> seen;
    begin_round();
    test::together(threads, [&](int number) {
      seen[static_cast<std::size_t>(number)] =
          work(number, operations,
               static_cast<std::uint64_t>(round) * threads + static_cast<std::uint64_t>(number));
    });
    ASSERT_EQ(evicted_.load(), 0U) << "the table is large enough";

    std::vector<std::vector<Witness>> writes(keys);
    for (const auto& each : seen) {
      for (const Witness& witness : each) {
        if (witness.kind != Kind::refusal) writes[static_cast<std::size_t>(witness.key)].push_back(witness);
      }
    }
    std::vector<Chain> chains;
    for (std::int32_t key = 0; key < keys; ++key) {
      auto& own = writes[static_cast<std::size_t>(key)];
      for (const Witness& write : own) {
        (write.kind == Kind::charge ? charges : refunds) += 1;
        renewals += write.before == none ? 1 : 0;
        // By its own numbers each is what it should be.
        const std::int64_t debt =
            write.before == none ? 0 : std::max<std::int64_t>(0, write.before - write.stamp);
        if (write.kind == Kind::charge) {
          ASSERT_GT(write.after, write.stamp + debt);
          ASSERT_LE(write.after, write.stamp + burst);
        } else {
          ASSERT_LT(write.after, write.before);
        }
      }
      chains.emplace_back(std::move(own), last_.contains(key) ? last_[key] : none);
      ASSERT_EQ(chains.back().fault, "") << "key " << key << ", round " << round;
      last_[key] = chains.back().last;
      const auto value = table_.find(table_.place(key_of(key)));
      if (value && last_[key] != none) {
        ASSERT_EQ(*value, wrapped(last_[key])) << "the last link is not what stands in the table";
      }
    }
    // What a thread sees of a key lies in its chain, and later in it than what it saw before.
    for (const auto& each : seen) {
      std::vector<std::size_t> reached(keys, 0);
      for (const Witness& witness : each) {
        const Chain& chain = chains[static_cast<std::size_t>(witness.key)];
        std::size_t& from = reached[static_cast<std::size_t>(witness.key)];
        if (witness.before != none) {
          ASSERT_TRUE(chain.has(witness.before)) << "a look saw what nobody left";
          ASSERT_GE(chain.place.at(witness.before), from) << "a thread went back in time";
          from = chain.place.at(witness.before);
        }
        if (witness.kind == Kind::refusal) {
          ++refusals;
        } else {
          from = chain.place.at(witness.after);
        }
      }
    }
  }
  std::printf("           %llu charges, %llu refusals and looks, %llu refunds, %llu members anew\n",
              static_cast<unsigned long long>(charges), static_cast<unsigned long long>(refusals),
              static_cast<unsigned long long>(refunds), static_cast<unsigned long long>(renewals));
  EXPECT_EQ(charges + refusals + refunds, std::uint64_t{rounds} * operations * threads);
  EXPECT_GT(std::min({charges, refusals, refunds}), charges / 100);
  EXPECT_GT(renewals, 1000U);
}

}  // namespace
}  // namespace sekisho::ratelimit
