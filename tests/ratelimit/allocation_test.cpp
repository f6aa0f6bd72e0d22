// No allocation on the request path: counts every operator new of this binary.
#include <gtest/gtest.h>

#include <array>

#include "ratelimit/bans.hpp"
#include "ratelimit/charge_all.hpp"
#include "ratelimit/in_flight.hpp"
#include "ratelimit/recent_hitters.hpp"
#include "ratelimit/recent_keys.hpp"

// Sanitizers have operators of their own.
#ifndef SEKISHO_SANITIZED

#include "tests/support/allocation_counter.hpp"

namespace sekisho::ratelimit {
namespace {

using test::allocations;

using namespace std::chrono_literals;

TEST(Allocation, NoneOnTheRequestPath) {
  const Instant start{std::chrono::hours(5)};
  Limiter first({10, 1s, 5}, 100, start);
  Limiter second({100, 1s, 50}, 100, start);
  Bans bans(100, start);
  bans.ban({1, 1}, "a", "x", {1h, {}}, start);
  InFlight in_flight(100);
  RecentHitters hitters(64, 32, start);
  RecentKeys refused;
  const KeyHasher hasher({1, 2});
  const std::string text = "192.0.2.1 and enough to leave the small string";
  const std::uint64_t before = allocations.load();
  for (std::uint64_t at = 0; at < 10'000; ++at) {
    const Instant now = start + Duration(at * 1'000'000);
    const Key key = hasher(at % 300, text);
    std::array<Charge, 2> charges{Charge{&first, key, {}}, {&second, key, {}}};
    first.prefetch(key);
    if (bans.any()) bans.banned_for(key, now);
    if (charge_all(charges, now)) first.refund(key, now, now + 1ms);
    const auto lease = in_flight.acquire(key, 3);
    hitters.add(std::string_view(text).substr(at % 40), at % 40, now);
    refused.add(hasher(at, text), now + Duration(at * 100'000'000));
  }
  EXPECT_EQ(allocations.load(), before);
}

}  // namespace
}  // namespace sekisho::ratelimit

#endif
