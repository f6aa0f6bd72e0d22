#include "proxy/policy/limit_states.hpp"

#include "tests/policy/policy_fixture.hpp"

namespace sekisho::policy {
namespace {

using testing::HasSubstr;

constexpr const char* base = R"(
limits:
  - {name: l, rate: 10/min}
)";

TEST(LimitStates, AReloadWithEqualParametersChangesNothing) {
  Gate gate(base);
  EXPECT_EQ(gate.passed("/", 7), 7);
  EXPECT_EQ(gate.reload(base), "");
  EXPECT_EQ(gate.passed("/", 9), 3);
  EXPECT_EQ(gate.counts("l"), "allowed 10, limited 6");
}

TEST(LimitStates, AChangedRateKeepsTheTokens) {
  Gate gate(base);
  EXPECT_EQ(gate.passed("/", 7), 7);
  EXPECT_EQ(gate.reload("limits: [{name: l, rate: 5/min, burst: 10}]"), "");
  EXPECT_EQ(gate.passed("/", 9), 3);
  gate.wait(seconds(12) + milliseconds(1));  // one more at the new rate
  EXPECT_EQ(gate.passed("/", 9), 1);
}

TEST(LimitStates, AChangedBurstKeepsTheDebt) {
  Gate gate(base);
  EXPECT_EQ(gate.passed("/", 7), 7);
  EXPECT_EQ(gate.reload("limits: [{name: l, rate: 10/min, burst: 20}]"), "");
  EXPECT_EQ(gate.passed("/", 30), 13);
}

TEST(LimitStates, AChangedMatchKeepsBuckets) {
  Gate gate(base);
  EXPECT_EQ(gate.passed("/", 7), 7);
  EXPECT_EQ(gate.reload("limits: [{name: l, match: {paths: ['/**']}, rate: 10/min}]"), "");
  EXPECT_EQ(gate.passed("/", 9), 3);
}

TEST(LimitStates, AChangedKeyOrNameStartsAnew) {
  for (const char* changed :
       {"limits: [{name: l, key: client_network, rate: 10/min}]", "limits: [{name: other, rate: 10/min}]"}) {
    Gate gate(base);
    EXPECT_EQ(gate.passed("/", 7), 7);
    EXPECT_EQ(gate.reload(changed), "");
    EXPECT_EQ(gate.passed("/", 20), 10) << changed;
  }
}

TEST(LimitStates, TheOrderOfTheFileDoesNotMatter) {
  Gate gate(
      "limits: [{name: a, match: {paths: [/a]}, rate: 5/min}, {name: b, match: {paths: [/b]}, rate: 5/min}]");
  EXPECT_EQ(gate.passed("/a", 5), 5);
  EXPECT_EQ(gate.reload("limits: [{name: b, match: {paths: [/b]}, rate: 5/min}, {name: a, match: {paths: "
                        "[/a]}, rate: 5/min}]"),
            "");
  EXPECT_EQ(gate.passed("/a", 5), 0);
  EXPECT_EQ(gate.passed("/b", 5), 5);
}

TEST(LimitStates, ALimitTakenOutAndPutBackStartsAnew) {
  Gate gate(base);
  EXPECT_EQ(gate.passed("/", 10), 10);
  const std::weak_ptr<LimitState> state = gate.states().current().limits[0];
  EXPECT_EQ(gate.reload("limits: []"), "");
  EXPECT_TRUE(state.expired());
  EXPECT_EQ(gate.reload(base), "");
  EXPECT_EQ(gate.passed("/", 20), 10);
}

TEST(LimitStates, AChangedCapacityKeepsTheState) {
  Gate gate(base);
  EXPECT_EQ(gate.passed("/", 7), 7);
  EXPECT_EQ(gate.reload("limits: [{name: l, rate: 10/min, capacity: 1000}]"), "");
  EXPECT_EQ(gate.passed("/", 1), 1);
  EXPECT_EQ(gate.reload("table: {capacity: 500}\n" + std::string(base)), "");
  EXPECT_EQ(gate.states().current().limits[0]->limiter->stats().capacity, 500U);
  EXPECT_EQ(gate.passed("/", 20), 2);
}

TEST(LimitStates, ARateFarAwayKeepsTheState) {
  Gate gate(base);
  EXPECT_EQ(gate.passed("/", 7), 7);
  EXPECT_EQ(gate.reload("limits: [{name: l, rate: 10000/s, burst: 1000000}]"), "");
  gate.send({});
  EXPECT_EQ(gate.admission.outcome, Outcome::proxied);
  EXPECT_EQ(gate.reload("limits: [{name: l, rate: 10/min, burst: 1000000}]"), "");
  EXPECT_EQ(gate.reload(base), "");
  EXPECT_EQ(gate.passed("/", 20), 2);
}

TEST(LimitStates, AChangedCapacityOfTheBansKeepsThem) {
  const std::string limit = "limits: [{name: l, match: {paths: [/x]}, block: true, ban: 1h}]";
  Gate gate("table: {capacity: 64}\n" + limit);
  gate.get("/x");
  EXPECT_EQ(gate.get("/"), "banned by l");
  EXPECT_EQ(gate.reload("table: {capacity: 128}\n" + limit), "");
  EXPECT_EQ(gate.states().current().bans->capacity(), 128U);
  EXPECT_EQ(gate.get("/"), "banned by l");
  gate.get("/x", "198.51.100.7");
  EXPECT_EQ(gate.get("/", "198.51.100.7"), "banned by l");
}

TEST(LimitStates, ARefusedReloadTakesNothing) {
  Gate gate(base);
  EXPECT_EQ(gate.passed("/", 7), 7);
  EXPECT_NE(gate.reload("limits: [{name: l, rate: 10/min, capacity: 1000, match: {paths: ['~(']}}]"), "");
  EXPECT_EQ(gate.states().current().limits[0]->limiter->stats().capacity, 262144U);
  EXPECT_EQ(gate.passed("/", 20), 3);
}

TEST(LimitStates, BansSurviveReloadsAndKeepTheirLength) {
  Gate gate("limits: [{name: l, match: {paths: [/x]}, block: true, ban: 1h}]");
  gate.get("/x");
  EXPECT_EQ(gate.reload("limits: [{name: l, match: {paths: [/x]}, block: true, ban: 1min}]"), "");
  gate.wait(minutes(30));
  EXPECT_EQ(gate.get("/"), "banned by l");
}

TEST(LimitStates, BansThatNoReloadedLimitEnforcesAreNotListed) {
  const std::string head = "limits: [{match: {paths: [/x]}, block: true, ";
  for (const char* limit : {"name: l}]", "name: m, ban: 1h}]", "name: l, ban: 1h, shadow: true}]"}) {
    Gate gate(head + "name: l, ban: 1h}]");
    gate.get("/x");
    EXPECT_EQ(gate.states().current().bans->active("l", gate.now), 1u);
    EXPECT_EQ(gate.reload(head + limit), "");
    EXPECT_EQ(gate.get("/"), "proxied") << limit;
    EXPECT_EQ(gate.states().current().bans->active("l", gate.now), 0u) << limit;
    EXPECT_TRUE(gate.states().current().bans->list(gate.now).empty()) << limit;
    EXPECT_EQ(gate.reload(head + "name: l, ban: 1h}]"), "");
    EXPECT_EQ(gate.get("/"), "banned by l");
    EXPECT_EQ(gate.states().current().bans->list(gate.now).size(), 1u) << limit;
  }
}

TEST(LimitStates, BansThatGoByAnotherKeyAreNotListed) {
  const std::string tail = "name: l, match: {paths: [/x]}, block: true, ban: 1h";
  const auto listed = [](Gate& gate) {
    const auto& bans = gate.states().current().bans;
    EXPECT_EQ(bans->list(gate.now).size(), bans->active("l", gate.now));
    return bans->active("l", gate.now);
  };
  for (const std::string& changed : {"limits: [{" + tail + ", key: client_network}]",
                                     "client_ip: {prefix: {ipv4: 28}}\nlimits: [{" + tail + "}]"}) {
    Gate gate("limits: [{" + tail + "}]");
    gate.get("/x");
    EXPECT_EQ(listed(gate), 1u);
    EXPECT_EQ(gate.reload(changed), "");
    EXPECT_EQ(gate.get("/"), "proxied");
    EXPECT_EQ(listed(gate), 0u) << changed;
    EXPECT_EQ(gate.reload("limits: [{" + tail + "}]"), "");
    EXPECT_EQ(gate.get("/"), "banned by l");
    EXPECT_EQ(listed(gate), 1u) << changed;
    // What changes nothing about whom it refuses.
    EXPECT_EQ(gate.reload("limits: [{" + tail + ", key: [client_ip, path]}]"), "");
    EXPECT_EQ(gate.get("/"), "banned by l");
    EXPECT_EQ(listed(gate), 1u) << changed;
  }
}

TEST(LimitStates, ABanMayComeWithAReload) {
  Gate gate("limits: [{name: l, rate: 2/min}]");
  EXPECT_EQ(gate.passed("/", 2), 2);
  EXPECT_EQ(gate.reload("limits: [{name: l, rate: 2/min, ban: {after: 2, for: 1h}}]"), "");
  EXPECT_EQ(gate.get("/"), "limited by l");
  EXPECT_EQ(gate.get("/"), "limited by l");
  EXPECT_EQ(gate.get("/"), "banned by l");
  EXPECT_EQ(gate.counts("l"), "allowed 2, limited 2, banned 1");
}

TEST(LimitStates, StrikesSurviveReloads) {
  const std::string limit = "limits: [{name: l, block: true, ban: {after: 3, within: 1min, for: 1h}}]";
  Gate gate(limit);
  gate.get("/");
  gate.get("/");
  EXPECT_EQ(gate.reload(limit), "");
  gate.get("/");
  EXPECT_EQ(gate.get("/"), "banned by l");
}

TEST(LimitStates, AnExchangeMayOutliveItsConfiguration) {
  Gate gate(base);
  const auto config = load_config(base);
  config::Diagnostics diagnostics;
  const auto old = Engine::compile(config, gate.states().current(), 0, diagnostics);
  gate.get("/");
  Admission admission = std::move(gate.admission);
  EXPECT_EQ(gate.reload("limits: [{name: l, rate: 5/min, burst: 10}]"), "");
  old->refund(admission, gate.now);
  EXPECT_EQ(gate.passed("/", 20), 10);
}

TEST(LimitStates, AFleetSharesTheRate) {
  const struct {
    std::string yaml;
    int at_once;
    int per_minute;
  } cases[] = {
      {"fleet: {tasks: 4}\nlimits: [{name: l, rate: 40/min}]", 10, 10},
      {"fleet: {tasks: 4}\nlimits: [{name: l, rate: 4/min}]", 4, 1},
      {"fleet: {tasks: 4}\nlimits: [{name: l, rate: 12/min, burst: 100}]", 25, 3},
      {"fleet: {tasks: 100}\nlimits: [{name: l, rate: 100/min, burst: 60}]", 5, 1},
      {"fleet: {tasks: 4}\nlimits: [{name: l, rate: 40/min, per: task}]", 40, 40},
  };
  for (const auto& test : cases) {
    Gate gate(test.yaml);
    EXPECT_EQ(gate.passed("/", 200), test.at_once) << test.yaml;
    gate.wait(minutes(1) + milliseconds(1));
    EXPECT_EQ(gate.passed("/", 200), test.per_minute) << test.yaml;
  }
}

constexpr auto counted_fleet = "fleet: {tasks: dns:app.internal}\n";

TEST(LimitStates, ACountedFleetSharesTheRateAndFollowsTheCount) {
  Gate gate(std::string(counted_fleet) + "limits: [{name: l, rate: 40/min}]");
  EXPECT_EQ(gate.states().tasks(), 1U);
  EXPECT_EQ(gate.passed("/", 200, "10.9.0.1"), 40) << "whole until it is counted";
  EXPECT_EQ(gate.share_among(4), std::vector<std::string>());
  EXPECT_EQ(gate.states().tasks(), 4U);
  EXPECT_EQ(gate.passed("/", 200, "10.9.0.2"), 10);
  // Who owed 40 has 30 too many to pay back, at 10 a minute.
  gate.wait(minutes(3));
  EXPECT_EQ(gate.passed("/", 200, "10.9.0.1"), 0);
  gate.wait(minutes(1) + milliseconds(1));
  EXPECT_EQ(gate.passed("/", 200, "10.9.0.1"), 10);
  EXPECT_EQ(gate.share_among(2), std::vector<std::string>());
  EXPECT_EQ(gate.passed("/", 200, "10.9.0.1"), 10) << "owes 10 of 20";
  gate.wait(minutes(1) + milliseconds(1));
  EXPECT_EQ(gate.passed("/", 200, "10.9.0.1"), 20);
}

TEST(LimitStates, ACountIsKeptOverAReload) {
  const std::string limit = "limits: [{name: l, rate: 40/min}]";
  Gate gate(counted_fleet + limit);
  gate.share_among(4);
  EXPECT_EQ(gate.passed("/", 3), 3);
  EXPECT_EQ(gate.reload(counted_fleet + limit), "");
  EXPECT_EQ(gate.states().tasks(), 4U);
  EXPECT_EQ(gate.passed("/", 200), 7) << "nothing was given back";
  // A new limit is shared from its beginning; a number in the file takes the count's place, and holds until
  // a name is answered for.
  EXPECT_EQ(gate.reload(std::string(counted_fleet) + "limits: [{name: m, rate: 80/min}]"), "");
  EXPECT_EQ(gate.passed("/", 200), 20);
  EXPECT_EQ(gate.reload("fleet: {tasks: 2}\nlimits: [{name: n, rate: 80/min}]"), "");
  EXPECT_EQ(gate.passed("/", 200), 40);
  EXPECT_EQ(gate.reload(std::string(counted_fleet) + "limits: [{name: o, rate: 80/min}]"), "");
  EXPECT_EQ(gate.passed("/", 200), 40);
}

TEST(LimitStates, WhatStaysWholeWhateverTheCount) {
  Gate gate(
      std::string(counted_fleet) +
      "limits: [{name: alone, match: {paths: /alone}, rate: 40/min, per: task}, {name: floor, match: "
      "{paths: /floor}, rate: 60/min}, {name: banning, match: {paths: /b}, rate: 3/min, ban: {after: 4, "
      "for: 1h}}]");
  gate.share_among(20);
  EXPECT_EQ(gate.passed("/alone", 200), 40);
  EXPECT_EQ(gate.passed("/floor", 200), 5) << "a burst is divided no further";
  EXPECT_EQ(gate.passed("/b", 3), 3);
  for (int refusal = 1; refusal <= 4; ++refusal) EXPECT_EQ(gate.get("/b"), "limited by banning") << refusal;
  EXPECT_EQ(gate.get("/b"), "banned by banning");
}

TEST(LimitStates, TheRateLimitFieldsFollowTheCount) {
  Gate gate(std::string(counted_fleet) + "limits: [{name: l, rate: 40/min, burst: 80}]");
  EXPECT_EQ(gate.passed("/", 100), 80);
  EXPECT_EQ(gate.admission.policy_quota, 80U);
  EXPECT_EQ(gate.admission.policy_window, 120U);
  gate.share_among(16);
  EXPECT_EQ(gate.get("/"), "limited by l");
  EXPECT_EQ(gate.admission.policy_quota, 5U);
  EXPECT_EQ(gate.admission.policy_window, 120U) << "5 at 40 in 16 minutes";
  gate.share_among(32);
  EXPECT_EQ(gate.get("/"), "limited by l");
  EXPECT_EQ(gate.admission.policy_quota, 5U);
  EXPECT_EQ(gate.admission.policy_window, 240U);
}

TEST(LimitStates, AShareThatCannotBeCountedLeavesTheOneBefore) {
  // Five at once, one in eleven years: among a hundred it would take longer to fill than can be counted.
  Gate gate(std::string(counted_fleet) +
            "limits: [{name: l, rate: 1/4000d, burst: 5}, {name: m, rate: 50/s}]");
  EXPECT_EQ(gate.share_among(100), std::vector<std::string>{"l"});
  EXPECT_EQ(gate.states().tasks(), 100U);
  EXPECT_EQ(gate.passed("/", 20), 5);
}

TEST(LimitStates, AShareThatThereIsNoMemoryForLeavesTheOneBefore) {
  static std::uint64_t left;
  left = 1 << 30;
  // A thousandth of so high a rate is counted in finer units, by another table.
  Gate gate(std::string(counted_fleet) + "limits: [{name: l, rate: 1000000/s, burst: 20}]", [] {
    return std::optional(MemoryBound{1 << 30, left, "the test"});
  });
  left = 1000;
  EXPECT_EQ(gate.share_among(1000), std::vector<std::string>{"l"});
  EXPECT_EQ(gate.passed("/", 50), 20);
  left = 1 << 30;
  EXPECT_EQ(gate.share_among(1000), std::vector<std::string>());
  gate.wait(minutes(1));
  EXPECT_EQ(gate.passed("/", 50), 5);
}

TEST(LimitStates, TooGreatATableIsRefusedBeforeItIsTaken) {
  const auto config = load_config(
      "limits: [{name: l, rate: 1/s, capacity: 1000000000}, {name: m, rate: 1/s, capacity: 1000000000}]");
  ASSERT_NE(config, nullptr);
  EXPECT_GE(LimitStates::memory_needed(*config).bytes, 32'000'000'000u);
}

TEST(LimitStates, TheSettingThatTakesMostIsNamed) {
  const auto largest = [](const std::string& yaml) {
    const MemoryNeed need = LimitStates::memory_needed(*load_config(yaml));
    return std::to_string(need.mark.line) + ":" + std::to_string(need.mark.column) + " " + need.largest;
  };
  EXPECT_EQ(
      largest(
          "table: {capacity: 1000}\nlimits: [{name: l, rate: 1/s}, {name: m, rate: 1/s, capacity: 9000}]"),
      "3:63 the capacity of limit m");
  EXPECT_EQ(
      largest("table: {capacity: 8000}\nlimits: [{name: l, rate: 1/s}, {name: m, rate: 1/s, capacity: 9000}, "
              "{name: n, rate: 1/s}]"),
      "2:19 table.capacity");
  EXPECT_EQ(largest("client: {max_connections: 9000}\ntable: {capacity: 1000}\n"
                    "limits: [{name: l, rate: 1/s, in_flight: 2}]"),
            "2:27 client.max_connections");
  EXPECT_EQ(largest("limits: [{name: l, rate: 1/s}]"), "0:0 table.capacity");
}

TEST(LimitStates, BytesNeeded) {
  const auto none = load_config("limits: []");
  const auto one = load_config("limits: [{name: l, rate: 1/s, capacity: 100000}]");
  const auto block = load_config("limits: [{name: l, block: true}]");
  EXPECT_EQ(LimitStates::memory_needed(*none).bytes, LimitStates::memory_needed(*block).bytes);
  EXPECT_GE(LimitStates::memory_needed(*one).bytes - LimitStates::memory_needed(*none).bytes, 1'600'000u);
  const auto strikes =
      load_config("limits: [{name: l, rate: 1/s, capacity: 100000, ban: {after: 2, for: 1h}}]");
  EXPECT_GE(LimitStates::memory_needed(*strikes).bytes - LimitStates::memory_needed(*one).bytes, 1'600'000u);
}

TEST(LimitStates, EvictionsOfStrikesAndPathsAreCounted) {
  Gate gate(R"(
table: {capacity: 64}
limits:
  - {name: strikes, match: {paths: [/x]}, block: true, ban: {after: 9, within: 1h, for: 1h}}
  - {name: paths, rate: 100000/h, on_status: {codes: [404], distinct: path}, match: {paths: ["/p/**"]}}
  - {name: counted, in_flight: 5}
)");
  for (int i = 0; i < 1000; ++i)
    gate.get("/x", "198.51." + std::to_string(i / 256) + "." + std::to_string(i % 256));
  for (int i = 0; i < 1000; ++i) gate.respond(404, "/p/" + std::to_string(i));
  const auto& limits = gate.states().current().limits;
  ASSERT_TRUE(limits[0]->evictions());
  EXPECT_GT(limits[0]->evictions()->buckets, 500u);
  EXPECT_GT(limits[0]->evictions()->tokens, 500u);
  EXPECT_GT(limits[1]->evictions()->buckets, 500u) << "one client, but a thousand paths";
  EXPECT_FALSE(limits[2]->evictions());
}

}  // namespace
}  // namespace sekisho::policy
