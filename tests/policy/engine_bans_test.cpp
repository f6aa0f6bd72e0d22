#include "proxy/policy/engine.hpp"

#include "tests/policy/policy_fixture.hpp"

namespace sekisho::policy {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;

// Bans.

TEST(Engine, ABanAfterOneRefusalRefusesTheWholeClient) {
  Gate gate(R"(
limits:
  - {name: probes, match: {paths: [/wp-login.php]}, block: true, ban: 10min}
  - {name: all, rate: 3/min}
)");
  EXPECT_EQ(gate.get("/wp-login.php"), "blocked by probes");
  EXPECT_FALSE(gate.admission.show_retry_after);
  gate.wait(minutes(4));
  EXPECT_EQ(gate.get("/"), "banned by probes");
  EXPECT_EQ(gate.admission.action->status, 403u);
  EXPECT_TRUE(gate.admission.show_retry_after);
  EXPECT_FALSE(gate.admission.show_ratelimit);
  EXPECT_GE(gate.admission.decision.retry_after, minutes(6));
  EXPECT_LE(gate.admission.decision.retry_after, minutes(6) + milliseconds(1));
  EXPECT_EQ(gate.admission.limit, 0);
  EXPECT_EQ(gate.admission.key, "203.0.113.9");
  EXPECT_EQ(gate.get("/", "203.0.113.10"), "proxied");
  gate.wait(minutes(7));
  EXPECT_EQ(gate.get("/"), "proxied");
  // A banned request counts at the ban's limit and nowhere else.
  EXPECT_EQ(gate.counts("probes"), "banned 1, blocked 1");
  EXPECT_EQ(gate.counts("all"), "allowed 3");
}

TEST(Engine, TheRefusalThatFillsTheStrikesSetsTheBan) {
  Gate gate("limits: [{name: l, rate: 1/min, ban: {after: 3, within: 1min, for: 10min}}]");
  EXPECT_EQ(gate.get("/"), "proxied");
  EXPECT_EQ(gate.get("/"), "limited by l");
  EXPECT_EQ(gate.get("/"), "limited by l");
  EXPECT_LE(gate.admission.retry_after(), seconds(61));
  EXPECT_EQ(gate.get("/"), "limited by l");  // the third strike: refused by the rate, and banned from here on
  // Who comes back when the rate would admit it meets the ban: Retry-After tells that.
  EXPECT_EQ(gate.admission.retry_after(), minutes(10));
  EXPECT_LE(gate.admission.decision.retry_after, seconds(61));
  EXPECT_EQ(gate.get("/"), "banned by l");
  EXPECT_EQ(gate.counts("l"), "allowed 1, limited 3, banned 1");
}

TEST(Engine, StrikesDrain) {
  Gate gate("limits: [{name: l, block: true, ban: {after: 3, within: 1min, for: 10min}}]");
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(gate.get("/"), "blocked by l") << i;
    gate.wait(seconds(30));
  }
}

TEST(Engine, EveryLimitThatWouldRefuseCountsItsStrike) {
  Gate gate(R"(
limits:
  - {name: first, block: true}
  - {name: second, rate: 1/h, ban: {after: 2, within: 1min, for: 1h}}
)");
  // The rate is never charged, since `first` refuses all: it would pass each, and gives no strike.
  for (int i = 0; i < 5; ++i) EXPECT_EQ(gate.get("/"), "blocked by first");
  Gate both(R"(
limits:
  - {name: first, match: {paths: [/x]}, block: true}
  - {name: second, rate: 1/h, ban: {after: 2, within: 1min, for: 1h}}
)");
  EXPECT_EQ(both.get("/"), "proxied");
  EXPECT_EQ(both.get("/x"), "blocked by first");
  EXPECT_EQ(both.get("/x"), "blocked by first");
  EXPECT_EQ(both.get("/"), "banned by second");
}

TEST(Engine, ScopeMatchBansOnlyWhatTheLimitMatches) {
  Gate gate("limits: [{name: l, match: {paths: [/login]}, rate: 1/min, ban: {for: 10min, scope: match}}]");
  EXPECT_EQ(gate.get("/login"), "proxied");
  EXPECT_EQ(gate.get("/login"), "limited by l");
  gate.wait(minutes(2));
  EXPECT_EQ(gate.get("/login"), "banned by l");
  EXPECT_EQ(gate.get("/"), "proxied");
}

TEST(Engine, AKeyOfTheNetworkBansTheNetwork) {
  Gate gate(
      "limits: [{name: l, match: {paths: [/x]}, key: [client_network, path], block: true, ban: 10min}]");
  EXPECT_EQ(gate.get("/x", "203.0.113.9"), "blocked by l");
  EXPECT_EQ(gate.get("/", "203.0.113.77"), "banned by l");
  EXPECT_EQ(gate.admission.key, "203.0.113.0/24");
  EXPECT_EQ(gate.get("/", "203.0.114.9"), "proxied");
}

TEST(Engine, BansAndTheirEndsBecomeEvents) {
  Gate gate("limits: [{name: l, match: {paths: [/x]}, block: true, ban: 10min}]");
  gate.get("/x");
  gate.wait(minutes(11));
  using Event = ratelimit::BanEvent;
  const auto event = [](Event::Kind kind) {
    using ratelimit::BanEntry;
    return AllOf(
        Field(&Event::kind, kind),
        Field(&Event::ban, AllOf(Field(&BanEntry::limit, "l"), Field(&BanEntry::client, "203.0.113.9"),
                                 Field(&BanEntry::length, minutes(10)), Field(&BanEntry::repetition, 1u))));
  };
  EXPECT_THAT(gate.states().current().bans->take_events(gate.now).events,
              ElementsAre(event(Event::Kind::set), event(Event::Kind::over)));
}

TEST(Engine, TheExemptAreNotBanned) {
  Gate gate(R"(
exempt: [{paths: [/up]}]
limits: [{name: l, match: {paths: [/x]}, block: true, ban: 10min}]
)");
  EXPECT_EQ(gate.get("/x"), "blocked by l");
  EXPECT_EQ(gate.get("/up"), "proxied");
  EXPECT_EQ(gate.get("/"), "banned by l");
}

}  // namespace
}  // namespace sekisho::policy
