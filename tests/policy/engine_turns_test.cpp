// Limits that bound how many are in progress (in_flight), and that make a request wait for its turn (delay).
#include <atomic>

#include "tests/policy/policy_fixture.hpp"
#include "tests/ratelimit/threads.hpp"

namespace sekisho::policy {
namespace {

using std::chrono::nanoseconds;

// Admissions that are under way.
std::vector<Admission> begin(Gate& gate, std::size_t count) {
  std::vector<Admission> admissions(count);
  gate.use({});
  for (Admission& admission : admissions) gate.engine().admit(gate.view(), gate.now, {}, admission);
  return admissions;
}

std::size_t admitted(const std::vector<Admission>& admissions) {
  return static_cast<std::size_t>(std::ranges::count(admissions, Outcome::proxied, &Admission::outcome));
}

TEST(InFlightLimit, BoundsWhatOneKeyHasInProgress) {
  Gate gate("limits: [{name: slow, match: {paths: [/]}, in_flight: 3}]");
  std::vector<Admission> under_way = begin(gate, 5);
  EXPECT_EQ(admitted(under_way), 3U);
  EXPECT_EQ(under_way[4].outcome, Outcome::limited);
  EXPECT_EQ(under_way[4].limit_name, "slow");
  EXPECT_FALSE(under_way[4].show_retry_after) << "nobody knows when one of them ends";
  EXPECT_FALSE(under_way[4].show_ratelimit);
  EXPECT_EQ(gate.get("/", "198.51.100.7"), "proxied") << "another's are another's";
  EXPECT_EQ(gate.get("/other"), "proxied");
  gate.engine().finish(under_way[0], 200, gate.now);
  EXPECT_EQ(gate.get("/"), "proxied");
  EXPECT_EQ(gate.counts("slow"), "allowed 5, limited 2");
}

TEST(InFlightLimit, APlaceIsGivenBackHoweverTheExchangeEnds) {
  Gate gate("limits: [{name: slow, in_flight: 1}]");
  for (int turn = 0; turn < 10; ++turn) {
    std::vector<Admission> one = begin(gate, 1);
    ASSERT_EQ(admitted(one), 1U) << turn;
    EXPECT_EQ(gate.get("/"), "limited by slow");
    if (turn % 3 == 0) gate.engine().finish(one[0], 0, gate.now);
    if (turn % 3 == 1) one[0].reset();
  }
}

TEST(InFlightLimit, ATunnelKeepsItsPlaceWithoutTheEngine) {
  constexpr const char* yaml = "limits: [{name: slow, in_flight: 1}]";
  Gate gate(yaml);
  std::vector<Admission> tunnel = begin(gate, 1);
  gate.engine().detach(tunnel[0], 101, gate.now);
  EXPECT_EQ(gate.reload(yaml), "");
  EXPECT_EQ(gate.get("/"), "limited by slow");
  EXPECT_EQ(gate.reload("limits: []"), "");
  EXPECT_EQ(gate.reload(yaml), "");
  EXPECT_EQ(gate.get("/"), "proxied") << "a limit taken out and put back counts anew";
  tunnel.clear();
}

TEST(InFlightLimit, ARefusalTakesNothingOfTheOthers) {
  Gate gate(
      "limits: [{name: a, in_flight: 2, rate: 100/min}, {name: b, match: {paths: [/b]}, in_flight: 1}, "
      "{name: c, match: {paths: [/c]}, rate: 1/min}]");
  const auto left = [&] {
    return ratelimit::Decision(
               gate.states().current().limits[0]->limiter->peek(gate.admission.charged.at(0).key, gate.now))
        .remaining;
  };
  EXPECT_EQ(gate.get("/"), "proxied");
  EXPECT_EQ(left(), 98U);
  gate.finish(200);
  EXPECT_EQ(gate.get("/c"), "proxied");
  gate.finish(200);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(gate.get("/c"), "limited by c");
  EXPECT_EQ(gate.get("/"), "proxied") << "no place was kept";
  EXPECT_EQ(left(), 96U) << "and no token spent";
  gate.finish(200);
  std::vector<Admission> held = begin(gate, 2);
  EXPECT_EQ(gate.get("/"), "limited by a");
}

TEST(InFlightLimit, InShadowItCountsAsIfAlone) {
  Gate gate("limits: [{name: slow, in_flight: 2, shadow: true}]");
  std::vector<Admission> under_way = begin(gate, 3);
  EXPECT_EQ(admitted(under_way), 3U);
  EXPECT_EQ(under_way[2].shadow_names, "slow");
  under_way.clear();
  EXPECT_EQ(gate.get("/"), "proxied");
  EXPECT_EQ(gate.counts("slow"), "allowed 3, shadow 1");
}

TEST(InFlightLimit, AReloadChangesTheBoundAndTheRoomAndKeepsTheCount) {
  Gate gate("limits: [{name: slow, in_flight: 2}]\nclient: {max_connections: 1000}");
  std::vector<Admission> under_way = begin(gate, 2);
  Gate::Finish finish = gate.take_engine();
  EXPECT_EQ(gate.reload("limits: [{name: slow, in_flight: 3}]\nclient: {max_connections: 2000}"), "");
  EXPECT_EQ(gate.states().current().limits[0]->in_flight->capacity(), 2000U);
  EXPECT_EQ(gate.get("/"), "proxied");
  std::vector<Admission> fourth = begin(gate, 1);
  EXPECT_EQ(admitted(fourth), 0U);
  finish(under_way[0], 200, gate.now);
  fourth = begin(gate, 1);
  EXPECT_EQ(admitted(fourth), 1U);
  finish(under_way[1], 200, gate.now);
}

// Between the look at all limits and the taking of their places another worker may take the last one.
TEST(InFlightLimit, WhoLosesARaceForTheSecondPlaceKeepsNoneOfTheFirst) {
  constexpr const char* yaml =
      "limits: [{name: a, key: global, in_flight: 9}, {name: b, key: global, in_flight: 1}]";
  Gate gate(yaml);
  gate.use({});
  const auto config = load_config(yaml);
  std::atomic<int> refused{0};
  std::atomic<bool> kept{false};
  test::together(2, [&](int worker) {
    config::Diagnostics diagnostics;
    const auto engine =
        Engine::compile(config, gate.states().current(), static_cast<unsigned>(worker), diagnostics);
    Admission admission;
    const auto deadline = std::chrono::steady_clock::now() + seconds(20);
    for (int turn = 0; turn < 200'000 || (refused < 100 && std::chrono::steady_clock::now() < deadline);
         ++turn) {
      engine->admit(gate.view(), gate.now, {}, admission);
      if (admission.outcome != Outcome::proxied) {
        ++refused;
        kept = kept || !admission.places.empty();
      }
      engine->finish(admission, 200, gate.now);
    }
  });
  EXPECT_GE(refused.load(), 100);
  EXPECT_FALSE(kept.load());
  EXPECT_EQ(gate.get("/"), "proxied");
}

TEST(InFlightLimit, ItsRefusalsAreStrikes) {
  Gate gate("limits: [{name: slow, in_flight: 1, ban: {after: 2, for: 1h}}]");
  std::vector<Admission> under_way = begin(gate, 1);
  EXPECT_EQ(gate.get("/"), "limited by slow");
  EXPECT_EQ(gate.get("/"), "limited by slow");
  EXPECT_EQ(gate.get("/"), "banned by slow");
}

TEST(DelayLimit, MakesWaitThenRefuses) {
  Gate gate("limits: [{name: paced, rate: 10/s, burst: 2, delay: 300ms}]");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(gate.get("/"), "proxied");
    EXPECT_EQ(gate.admission.delay, nanoseconds(0));
  }
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(gate.get("/"), "proxied");
    EXPECT_GE(gate.admission.delay, milliseconds(100) * i);
    EXPECT_LE(gate.admission.delay, milliseconds(100) * i + milliseconds(1));
  }
  EXPECT_EQ(gate.get("/"), "limited by paced");
  EXPECT_EQ(gate.admission.delay, nanoseconds(0));
  EXPECT_LE(gate.admission.retry_after(), milliseconds(101));
  EXPECT_EQ(gate.counts("paced"), "allowed 2, limited 1, delayed 3");
}

TEST(DelayLimit, TheLongestWaitOfSeveralHolds) {
  Gate gate(
      "limits: [{name: a, rate: 10/s, burst: 1, delay: 1s}, {name: b, rate: 2/s, burst: 1, delay: 1s}, "
      "{name: s, rate: 1/min, burst: 1, delay: 1h, shadow: true}]");
  gate.get("/");
  EXPECT_EQ(gate.get("/"), "proxied");
  EXPECT_GE(gate.admission.delay, milliseconds(500));
  EXPECT_LE(gate.admission.delay, milliseconds(501));
  EXPECT_EQ(gate.counts("s"), "allowed 1, delayed 1") << "and nobody waits for a limit in shadow";

  Gate shadow("shadow: true\nlimits: [{name: a, rate: 10/s, burst: 1, delay: 1s}]");
  shadow.get("/");
  shadow.get("/");
  EXPECT_EQ(shadow.admission.delay, nanoseconds(0));
}

TEST(DelayLimit, IsToldByExplain) {
  Gate gate("limits: [{name: paced, rate: 10/s, burst: 1, delay: 300ms}, {name: slow, in_flight: 1}]");
  std::vector<Admission> held = begin(gate, 1);
  const std::string text = gate.explain({});
  EXPECT_THAT(text, testing::HasSubstr("its turn comes in"));
  EXPECT_THAT(text, testing::HasSubstr("1 of 1 in progress: as many as may be"));
}

}  // namespace
}  // namespace sekisho::policy
