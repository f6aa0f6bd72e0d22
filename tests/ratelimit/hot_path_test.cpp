// What the request path does not do: allocate, lock, call the system, and, where it refuses, store.
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <array>
#include <optional>

#include "ratelimit/bans.hpp"
#include "ratelimit/charge_all.hpp"
#include "ratelimit/in_flight.hpp"
#include "tests/ratelimit/frozen_memory.hpp"

namespace sekisho::ratelimit {
namespace {

using namespace std::chrono_literals;
using test::FrozenMemory;

constexpr Instant start{std::chrono::hours(5)};

Key key_of(std::uint64_t number) {
  return {(number + 1) * 0x9e3779b97f4a7c15U, number + 1};
}

// All that a request may ask, over tables so small that members are evicted too.
class HotPath : public testing::Test {
 protected:
  void SetUp() override {
    bans_.ban(key_of(1), "a", "x", {1h, {}}, start);
    decide();  // whatever is done once is done
  }

  void decide() {
    for (std::uint64_t at = 0; at < 2000; ++at) {
      const Instant now = start + Duration(at * 1'000'000);
      const Key key = key_of(at % 70);
      std::array<Charge, 2> charges{Charge{&first_, key, {}}, {&second_, key, {}}};
      first_.prefetch(key);
      const bool banned = bans_.any() && bans_.banned_for(key, now).has_value();
      const Decision peeked = first_.peek(key, now);
      const Decision charged = second_.charge(key, now);
      if (!banned && charge_all(charges, now)) first_.refund(key, now, now + 1ms);
      auto lease = in_flight_.acquire(key, 1);
      const auto refused = in_flight_.acquire(key, 1);
      if (at % 2 == 0 && lease) lease->release();
      refusals_ += (banned ? 1U : 0U) + (peeked.admitted ? 0U : 1U) + (charged.admitted ? 0U : 1U) +
                   (refused ? 0U : 1U);
    }
  }

  Limiter first_{{10, 1s, 5}, 1, start};
  Limiter second_{{1, 1h, 2}, 100, start};
  Bans bans_{100, start};
  InFlight in_flight_{100};
  std::uint64_t refusals_ = 0;
};

// How a child ends that runs `work` where the kernel allows it read, write and exit alone, and kills it for
// anything else. 0: well.
constexpr int no_seccomp = 77;
template <class Work>
int in_jail(Work work) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) ::_exit(no_seccomp);
    work();
    ::syscall(SYS_exit, 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

TEST_F(HotPath, MakesNoSystemCall) {
  const int status = in_jail([this] { decide(); });
  if (WIFEXITED(status) && WEXITSTATUS(status) == no_seccomp)
    GTEST_SKIP() << "this system has no seccomp for its processes";
  EXPECT_EQ(status, 0) << (WIFSIGNALED(status) ? "killed for a system call" : "ended oddly");
  const int caught = in_jail([] { ::syscall(SYS_getpid); });
  EXPECT_TRUE(WIFSIGNALED(caught) && WTERMSIG(caught) == SIGKILL) << "the jail has no door";
}

TEST_F(HotPath, TakesNoLock) {
  const std::uint64_t before = FrozenMemory::locks.load();
  decide();
  EXPECT_EQ(FrozenMemory::locks.load(), before);
  bans_.list(start);
  EXPECT_GT(FrozenMemory::locks.load(), before) << "nobody counts";
}

// Everything that belongs to the limits, bans and counts is made read-only, on the heap too: any store ends
// the process.
TEST(HotPathRefusal, StoresNothing) {
  constexpr std::uint64_t clients = 100;
  FrozenMemory::collect(true);
  Limiter narrow({1, 1h, 2}, 1000, start);
  Limiter wide({1000, 1s, 1000}, 1000, start);
  Bans bans(1000, start);
  InFlight in_flight(1000);
  FrozenMemory::collect(false);
  ASSERT_EQ(FrozenMemory::collected_mappings(), 4U);
  std::array<std::optional<Lease>, clients> leases;
  for (std::uint64_t at = 0; at < clients; ++at) {
    while (narrow.charge(key_of(at), start).admitted) continue;
    bans.ban(key_of(at), "a", "x", {1h, {}}, start);
    leases[at] = in_flight.acquire(key_of(at), 1);
  }

  std::uint64_t refused = 0;
  FrozenMemory::freeze();
  for (std::uint64_t at = 0; at < clients; ++at) {
    const Key key = key_of(at);
    const Instant now = start + Duration(at);
    std::array<Charge, 3> charges{Charge{&wide, key, {}}, {&narrow, key, {}}, {&wide, key, {}}};
    narrow.prefetch(key);
    refused += narrow.charge(key, now).admitted ? 0U : 1U;
    refused += narrow.peek(key, now).admitted ? 0U : 1U;
    refused += charge_all(charges, now) ? 0U : 1U;
    refused += bans.any() && bans.banned_for(key, now) ? 1U : 0U;
    refused += bans.banned_for(key_of(at + clients), now) ? 0U : 1U;
    refused += in_flight.acquire(key, 1) ? 0U : 1U;
  }
  FrozenMemory::thaw();
  EXPECT_EQ(refused, 6 * clients);
}

// The test above can fail: what admits is stored, and ends a child.
TEST(HotPathRefusal, IsWatched) {
  FrozenMemory::collect(true);
  Limiter limiter({1, 1h, 2}, 1000, start);
  FrozenMemory::collect(false);
  EXPECT_EXIT(
      {
        FrozenMemory::freeze();
        limiter.charge(key_of(1), start);
      },
      testing::KilledBySignal(SIGSEGV), "");
}

}  // namespace
}  // namespace sekisho::ratelimit
