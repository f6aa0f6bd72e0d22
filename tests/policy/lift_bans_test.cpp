#include "proxy/policy/lift_bans.hpp"

#include "tests/policy/policy_fixture.hpp"

namespace sekisho::policy {
namespace {

const std::string door = "{name: door, match: {paths: [/door]}, block: true, ban: 1h}";

std::uint64_t lift(Gate& gate, std::string_view client) {
  return lift_bans(gate.states().current(), gate.config(), client, gate.now);
}

TEST(LiftBans, AnySpellingOfAnAddressOrNetworkWillDo) {
  struct Case {
    const char *yaml, *client;
    std::vector<const char*> lifts, does_not;
  };
  const Case cases[] = {
      {"",
       "203.0.113.9",
       {"203.0.113.9", "203.0.113.9/32", "::ffff:203.0.113.9"},
       {"203.0.113.0/24", "203.0.113"}},
      {"",
       "2001:db8::1",
       {"2001:db8::1", "[2001:db8::1]", "2001:DB8:0::77", "2001:db8::/64", "2001:DB8:0::/64",
        "[2001:DB8::]/64"},
       {"2001:db8::/48", "2001:db8:0:1::1", "[2001:db8::1"}},
      {"client_ip: {prefix: {ipv6: 128}}\n",
       "2001:db8::1",
       {"[2001:DB8:0::1]", "2001:db8::1/128"},
       {"2001:db8::/64"}},
      {"client_ip: {prefix: {ipv6: 128}}\n",
       "2001:db8::1:443",
       {"2001:db8::1:443"},
       {"[2001:db8::1]:443", "2001:db8::1"}},
      {"client_ip: {prefix: {ipv4: 24}}\n",
       "203.0.113.9",
       {"203.0.113.9", "203.0.113.0/24"},
       {"203.0.0.0/16"}},
  };
  for (const Case& each : cases) {
    Gate gate(each.yaml + ("limits: [" + door + "]"));
    for (const bool lifts : {false, true}) {
      for (const char* spelling : lifts ? each.lifts : each.does_not) {
        gate.get("/door", each.client);
        EXPECT_EQ(lift(gate, spelling), lifts ? 1U : 0U) << spelling;
        EXPECT_EQ(gate.get("/", each.client), lifts ? "proxied" : "banned by door") << spelling;
      }
    }
  }
}

TEST(LiftBans, EveryLimitsBanOfTheClientGoes) {
  Gate gate(R"(
limits:
  - {name: one, match: {paths: [/door]}, block: true, ban: 1h}
  - {name: two, match: {paths: [/door]}, key: [client_network], block: true, ban: {for: 1h, scope: match}}
)");
  gate.get("/door");
  EXPECT_EQ(lift(gate, "203.0.113.9"), 2U);
  EXPECT_EQ(gate.get("/door"), "blocked by one");
  EXPECT_EQ(lift(gate, "203.0.113.0/24"), 1U) << "that of the network alone";
}

TEST(LiftBans, BeyondTheListToo) {
  Gate gate("table: {capacity: 200000}\nlimits: [" + door + "]");
  ratelimit::Bans& bans = *gate.states().current().bans;
  for (std::uint64_t at = 1; at <= ratelimit::Bans::max_listed; ++at)
    bans.ban({at * 0x9e3779b97f4a7c15U, at}, "door", "x", {hours(1), {}}, gate.now);
  EXPECT_EQ(gate.get("/door"), "blocked by door");
  EXPECT_EQ(gate.get("/"), "banned by door");
  EXPECT_TRUE(bans.find("203.0.113.9", gate.now).empty());
  EXPECT_EQ(lift(gate, "203.0.113.9"), 1U);
  EXPECT_EQ(gate.get("/"), "proxied");
  EXPECT_EQ(lift(gate, "203.0.113.9"), 0U);
  EXPECT_EQ(bans.take_events(gate.now).events.back().ban.client, "203.0.113.9");
}

TEST(LiftBans, StrikesGoWithTheBan) {
  Gate gate(
      "limits: [{name: door, match: {paths: [/door]}, block: true, ban: {after: 3, within: 1h, for: 1h}}]");
  for (int refusal = 1; refusal <= 3; ++refusal) gate.get("/door");
  EXPECT_EQ(gate.get("/"), "banned by door");
  EXPECT_EQ(lift(gate, "203.0.113.9"), 1U);
  for (int refusal = 1; refusal <= 2; ++refusal) {
    EXPECT_EQ(gate.get("/door"), "blocked by door");
    EXPECT_EQ(gate.get("/"), "proxied") << refusal;
  }
  EXPECT_EQ(gate.get("/door"), "blocked by door");
  EXPECT_EQ(gate.get("/"), "banned by door");
}

TEST(LiftBans, KeysOfMoreThanAnAddressGoByTheirText) {
  Gate gate(R"(
limits:
  - {name: token, match: {paths: [/door]}, key: ["header:X-Token"], block: true, ban: {for: 1h, scope: match}}
  - {name: host, match: {paths: [/host]}, key: [host], block: true, ban: {for: 1h, scope: match}}
)");
  gate.get("/door");  // without the header: its address stands for it
  EXPECT_EQ(lift(gate, "203.0.113.9"), 1U);
  gate.get("/host");
  EXPECT_EQ(lift(gate, "203.0.113.9"), 0U);
  EXPECT_EQ(lift(gate, "www.example.jp"), 1U);
}

}  // namespace
}  // namespace sekisho::policy
