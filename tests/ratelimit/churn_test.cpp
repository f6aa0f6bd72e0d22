// Placement under churn: how often both lines of a new key are full of others in debt, when old keys go as
// new ones come.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <vector>

#include "ratelimit/atomics.hpp"
#include "ratelimit/limiter.hpp"
#include "ratelimit/table.hpp"
#include "tests/ratelimit/random.hpp"

namespace sekisho::ratelimit {
namespace {

using namespace std::chrono_literals;

// As a keyed hash gives them (SplitMix64).
std::uint64_t hashed(std::uint64_t number) {
  number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9U;
  number = (number ^ number >> 27) * 0x94d049bb133111ebU;
  return number ^ number >> 31;
}
Key key_of(std::uint64_t number) {
  return {hashed(number * 0x9e3779b97f4a7c15U + 1), hashed(number * 0xd1342543de82ef95U + 7)};
}

struct PresenceRules {
  static constexpr bool evicts = true;
  bool spent(std::uint64_t value) const { return value == 0; }
  std::uint64_t weight(std::uint64_t value) const { return value; }
};

// The share of inserts that found no word, after `warm` turnovers: a random key goes, a new one comes.
double failure_rate(double load, std::uint64_t inserts, std::uint64_t warm) {
  Table<StdAtomics> table(32'768);  // 64 Ki words
  test::Random random(1);
  std::uint64_t next = 0;
  const auto set = [&](std::uint64_t number, std::uint64_t value) {
    const auto place = table.place(key_of(number));
    return table.update(place, PresenceRules{}, [&](std::optional<std::uint64_t> present) {
      return value == 0 && !present ? std::nullopt : std::optional(value);
    });
  };
  std::vector<std::uint64_t> live(static_cast<std::size_t>(load * static_cast<double>(table.words().size())));
  for (std::uint64_t& number : live) set(number = next++, 1);
  std::uint64_t failures = 0;
  const std::uint64_t warming = warm * live.size();
  for (std::uint64_t at = 0; at < warming + inserts; ++at) {
    std::uint64_t& number =
        live[static_cast<std::size_t>(random(0, static_cast<std::int64_t>(live.size()) - 1))];
    set(number, 0);
    const std::uint64_t evictions = set(number = next++, 1).evictions;
    if (at >= warming) failures += evictions;
  }
  return static_cast<double>(failures) / static_cast<double>(inserts);
}

// LIMITER's study: none of 8.4 million at half load, 6.4e-6 at .60, 1.9e-3 at .70, 3.8e-2 at .80.
TEST(Churn, FailsToPlaceNobodyAtHalfLoadAndFewAbove) {
  const auto rate = [](double load, int inserts) {
    const double failed = failure_rate(load, static_cast<std::uint64_t>(test::scaled(inserts)), 4);
    std::printf("           load %.2f: %.2g of %d inserts found no word\n", load, failed,
                test::scaled(inserts));
    return failed;
  };
  EXPECT_EQ(rate(.40, 1'000'000), 0);
  EXPECT_EQ(rate(.50, 4'000'000), 0);
  EXPECT_LT(rate(.60, 2'000'000), 5e-5);
  const double at_70 = rate(.70, 500'000);
  EXPECT_GT(at_70, 5e-4);
  EXPECT_LT(at_70, 6e-3);
  const double at_80 = rate(.80, 500'000);
  EXPECT_GT(at_80, 1e-2);
  EXPECT_LT(at_80, 1e-1);
}

std::size_t resident_bytes() {
  std::size_t all = 0;
  std::size_t resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

// Ten million clients a minute, each seen twice and then in debt for ten seconds. A word may be taken when it
// has been idle for a second: so many are taken at once, and that is what the limit is sized for.
TEST(Churn, TenMillionClientsAMinuteForgetsNoDebtAtTheStatedCapacity) {
  constexpr std::uint64_t clients = test::sanitized ? 500'000 : 10'000'000;
  constexpr Duration debt = 10s;
  constexpr Duration interval = Duration(60s) / static_cast<std::int64_t>(clients);
  constexpr auto capacity = static_cast<std::size_t>((debt + 1s) / interval);
  constexpr Instant start{std::chrono::hours(5)};
  Limiter limiter({12, 60s, 2}, capacity, start);
  const std::size_t resident = resident_bytes();
  Instant now = start;
  Instant swept = start;
  std::uint64_t forgotten = 0;
  for (std::uint64_t client = 0; client < clients; ++client, now += interval) {
    limiter.charge(key_of(client), now);
    limiter.charge(key_of(client), now);
    // One of the last ten seconds, somewhere: it owes a unit of the clock at the least, so it has not both
    // tokens.
    const std::uint64_t back = hashed(client) % static_cast<std::uint64_t>(debt / interval - 100);
    if (client % 8 == 0 && back <= client)
      forgotten += limiter.peek(key_of(client - back), now).remaining == 1 ? 1 : 0;
    if (now - swept >= 20s) {
      limiter.sweep(swept = now);
      EXPECT_LE(limiter.stats().live, capacity);
      EXPECT_GT(limiter.stats().live, capacity * 8 / 10) << "the table was to be as full as is stated";
    }
  }
  EXPECT_EQ(limiter.stats().evictions, 0U);
  EXPECT_EQ(forgotten, 0U);
  if (!test::sanitized) {  // whose shadow grows
    EXPECT_LT(resident_bytes(), resident + (std::size_t{1} << 20));
  }
  EXPECT_LE(Limiter::bytes_for(capacity), 16 * capacity + 64);
}

}  // namespace
}  // namespace sekisho::ratelimit
