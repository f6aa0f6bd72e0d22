#include "proxy/policy/engine.hpp"

#include "tests/policy/policy_fixture.hpp"

namespace sekisho::policy {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;

TestRequest path(std::string target) {
  TestRequest request;
  request.target = std::move(target);
  return request;
}

// The order of the steps.

TEST(Engine, PassesWhatNothingForbids) {
  Gate gate("");
  EXPECT_EQ(gate.get("/?q=1"), "proxied");
  EXPECT_EQ(gate.admission.client.to_string(), "203.0.113.9");
  EXPECT_FALSE(gate.admission.peer_trusted);
  EXPECT_EQ(gate.admission.authority, "www.example.jp");
  EXPECT_EQ(gate.admission.origin_target, "/?q=1");
}

TEST(Engine, OriginTargetIsByteForByteAndNeverWithoutAPath) {
  const struct {
    std::string method, target, origin;
  } cases[] = {
      {"GET", "/a%2F?b=%20", "/a%2F?b=%20"},
      {"GET", "http://www.example.jp/a//b?c", "/a//b?c"},
      {"GET", "http://www.example.jp", "/"},
      {"GET", "http://www.example.jp?c", "/?c"},
      {"OPTIONS", "*", "*"},
      {"OPTIONS", "http://www.example.jp", "*"},
  };
  Gate gate("");
  for (const auto& test : cases) {
    TestRequest request = path(test.target);
    request.method = test.method;
    gate.send(request);
    EXPECT_EQ(gate.admission.origin_target, test.origin) << test.target;
  }
}

TEST(Engine, ProbeStandsAheadOfHostsExemptAndLimits) {
  Gate gate(R"(
hosts: [www.example.jp]
client_ip: {trusted_proxies: [192.0.2.7]}
limits: [{name: all, block: true}]
)");
  TestRequest request = path("/healthz");
  request.host = "10.0.0.5:8080";
  for (const char* peer : {"127.0.0.1", "10.1.2.3", "192.168.0.1", "192.0.2.7", "::1", "fd00::1"}) {
    request.peer = peer;
    EXPECT_EQ(gate.verdict(request), "probe") << peer;
  }
  request.method = "HEAD";
  EXPECT_EQ(gate.verdict(request), "probe");
  request.method = "POST";
  EXPECT_EQ(gate.verdict(request), "host_rejected");
  request.method = "GET";
  request.peer = "203.0.113.9";
  EXPECT_EQ(gate.verdict(request), "host_rejected");
  request.peer = "10.1.2.3";
  request.headers = {{"X-Forwarded-For", "203.0.113.9"}};
  EXPECT_EQ(gate.verdict(request), "host_rejected");
  request.headers.clear();
  request.target = "/healthz/more";
  EXPECT_EQ(gate.verdict(request), "host_rejected");
  EXPECT_EQ(gate.counts("all"), "");
}

TEST(Engine, HostGuardStandsAheadOfExemptAndLimits) {
  Gate gate(R"(
hosts: {allow: [www.example.jp], action: {status: 404}}
exempt: [{paths: [/up]}]
limits: [{name: all, block: true}]
)");
  TestRequest request = path("/up");
  EXPECT_EQ(gate.verdict(request), "proxied");
  request.host = "203.0.113.1";
  EXPECT_EQ(gate.verdict(request), "host_rejected");
  ASSERT_NE(gate.admission.action, nullptr);
  EXPECT_EQ(gate.admission.action->status, 404u);
  EXPECT_EQ(gate.admission.limit, -1);
  request.host = "-";
  EXPECT_EQ(gate.verdict(request), "bad_request");
  EXPECT_EQ(gate.counts("all"), "");
}

TEST(Engine, HostsActionIs421) {
  Gate gate("hosts: [www.example.jp]");
  TestRequest request;
  request.host = "other.example.jp";
  EXPECT_EQ(gate.verdict(request), "host_rejected");
  EXPECT_EQ(gate.admission.action->status, 421u);
}

TEST(Engine, ExemptOnlyIfEveryReadingIs) {
  Gate gate(R"(
exempt: [{paths: ["/assets/**"]}, {networks: [198.51.100.0/24]}]
limits: [{name: all, block: true}]
)");
  EXPECT_EQ(gate.get("/assets/app.js"), "proxied");
  EXPECT_EQ(gate.get("/assets/..%2fadmin"), "blocked by all");
  EXPECT_EQ(gate.get("/admin"), "blocked by all");
  EXPECT_EQ(gate.get("/admin", "198.51.100.7"), "proxied");
}

// Limits together.

constexpr const char* two_limits = R"(
limits:
  - {name: login, match: {paths: [/login]}, rate: 2/min}
  - {name: all, rate: 5/min}
)";

TEST(Engine, ARefusedRequestCostsNothingAtTheOthers) {
  Gate gate(two_limits);
  EXPECT_EQ(gate.passed("/login", 10), 2);
  // Two of five are spent, whatever login refused.
  EXPECT_EQ(gate.passed("/", 10), 3);
  EXPECT_EQ(gate.counts("login"), "allowed 2, limited 8");
  // The limit `all` would have passed those that login refused.
  EXPECT_EQ(gate.counts("all"), "allowed 13, limited 7");
}

TEST(Engine, TheFirstInTheFileIsNamedAndTheOrderNeverChangesTheVerdict) {
  for (const bool swapped : {false, true}) {
    const std::string slow = "  - {name: slow, rate: 1/h, action: 403}\n";
    const std::string fast = "  - {name: fast, rate: 1/min}\n";
    Gate gate("limits:\n" + (swapped ? fast + slow : slow + fast));
    EXPECT_EQ(gate.get("/"), "proxied");
    EXPECT_EQ(gate.get("/"), swapped ? "limited by fast" : "limited by slow");
    EXPECT_EQ(gate.admission.limit, 0);
    EXPECT_EQ(gate.admission.action->status, swapped ? 429u : 403u);
    // Never too short; the clock's units make it longer by less than a part in 10^9.
    const ratelimit::Duration wait = swapped ? seconds(60) : seconds(3600);
    EXPECT_GE(gate.admission.decision.retry_after, wait);
    EXPECT_LT(gate.admission.decision.retry_after, wait + milliseconds(1));
    EXPECT_TRUE(gate.admission.show_retry_after);
    gate.wait(minutes(2));
    EXPECT_EQ(gate.get("/"), "limited by slow");
    EXPECT_EQ(gate.counts("slow"), "allowed 1, limited 2");
    EXPECT_EQ(gate.counts("fast"), "allowed 2, limited 1");
  }
}

TEST(Engine, ABlockLeavesTheRatesUncharged) {
  Gate gate(R"(
limits:
  - {name: all, rate: 3/min}
  - {name: admin, match: {paths: [/admin]}, block: true}
)");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(gate.get("/admin"), "blocked by admin");
  EXPECT_EQ(gate.admission.action->status, 403u);
  EXPECT_FALSE(gate.admission.show_retry_after);
  EXPECT_FALSE(gate.admission.show_ratelimit);
  EXPECT_EQ(gate.admission.key, "203.0.113.9");
  EXPECT_EQ(gate.passed("/", 5), 3);
  EXPECT_EQ(gate.counts("all"), "allowed 8, limited 2");
  EXPECT_EQ(gate.counts("admin"), "blocked 5");
  // Both refuse: the first in the file is named.
  EXPECT_EQ(gate.get("/admin"), "limited by all");
}

TEST(Engine, MatchAndExceptReadThePathInEveryWay) {
  Gate gate(R"(
limits: [{name: l, match: {paths: ["/admin/**"], except: {paths: [/admin/ping]}}, block: true}]
)");
  const struct {
    const char* target;
    bool refused;
  } cases[] = {
      {"/admin", true},
      {"/admin/x", true},
      {"//admin/", true},
      {"/%61dmin", true},
      {"/a/../admin", true},
      {"/x/..%2fadmin", true},
      {"/x/..;/admin", true},
      {"/admin/ping", false},
      {"/admin/ping/", false},
      {"/admin/ping.json", false},
      {"/admin/x/..%2fping", true},
      {"/public", false},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(gate.get(test.target), test.refused ? "blocked by l" : "proxied") << test.target;
  }
}

TEST(Engine, SpellingsOfOnePathShareABucket) {
  Gate gate("limits: [{name: l, match: {paths: [/login]}, key: [client_ip, path], rate: 3/min}]");
  int passed = 0;
  for (const char* target : {"/login", "/login/", "/login.json", "/%6cogin", "//login", "/x/../login",
                             "/x/..%2flogin", "/y/..%2flogin", "/login.xml", "/login?a=b"}) {
    passed += gate.get(target) == "proxied" ? 1 : 0;
  }
  EXPECT_EQ(passed, 3);
  EXPECT_EQ(gate.admission.key, "203.0.113.9,/login");
}

TEST(Engine, EachLimitCountsThePathAsItReadIt) {
  Gate gate(R"(
limits:
  - {name: any, match: {paths: ["/**"]}, key: path, rate: 5/min}
  - {name: admin, match: {paths: [/admin]}, key: path, rate: 1/min}
)");
  EXPECT_EQ(gate.get("/%2561dmin"), "proxied");
  EXPECT_EQ(gate.get("/admin"), "limited by admin");
}

TEST(Engine, KeysTellClientsApart) {
  Gate gate("limits: [{name: l, rate: 1/min}]");
  EXPECT_EQ(gate.get("/", "203.0.113.1"), "proxied");
  EXPECT_EQ(gate.get("/", "203.0.113.2"), "proxied");
  EXPECT_EQ(gate.get("/", "203.0.113.1"), "limited by l");
  // One IPv6 /64 is one client.
  EXPECT_EQ(gate.get("/", "2001:db8::1"), "proxied");
  EXPECT_EQ(gate.get("/", "2001:db8::2"), "limited by l");
  EXPECT_EQ(gate.admission.key, "2001:db8::/64");
  EXPECT_EQ(gate.get("/", "2001:db8:0:1::1"), "proxied");
}

// The RateLimit fields.

TEST(Engine, RateLimitFieldsOfARefusal) {
  Gate gate("limits: [{name: l, rate: 30/min, burst: 7}]");
  EXPECT_EQ(gate.passed("/", 8), 7);
  EXPECT_TRUE(gate.admission.show_ratelimit);
  EXPECT_EQ(gate.admission.policy_name, "l");
  EXPECT_EQ(gate.admission.policy_quota, 7u);
  EXPECT_EQ(gate.admission.policy_window, 14u);
  EXPECT_EQ(gate.admission.decision.remaining, 0u);
  Gate never("limits: [{name: l, rate: 1/min, ratelimit_headers: never}]");
  EXPECT_EQ(never.passed("/", 2), 1);
  EXPECT_FALSE(never.admission.show_ratelimit);
  EXPECT_TRUE(never.admission.show_retry_after);
}

TEST(Engine, WindowIsRoundedUp) {
  Gate gate("limits: [{name: l, rate: 7/s, burst: 10}]");
  EXPECT_EQ(gate.passed("/", 11), 10);
  EXPECT_EQ(gate.admission.policy_window, 2u);
}

TEST(Engine, AlwaysSpeaksOfTheLimitWithLeastRemaining) {
  Gate gate(R"(
limits:
  - {name: wide, rate: 100/min, ratelimit_headers: always}
  - {name: narrow, rate: 10/min, ratelimit_headers: always}
  - {name: silent, rate: 5/min}
)");
  EXPECT_EQ(gate.get("/"), "proxied");
  EXPECT_TRUE(gate.admission.show_ratelimit);
  EXPECT_EQ(gate.admission.policy_name, "narrow");
  EXPECT_EQ(gate.admission.decision.remaining, 9u);
  EXPECT_EQ(gate.admission.limit, -1);
  EXPECT_FALSE(gate.admission.show_retry_after);
}

// Shadow.

TEST(Engine, AShadowLimitIsJudgedAsIfItStoodAlone) {
  Gate gate(R"(
limits:
  - {name: a, rate: 2/min, shadow: true, ban: 10min}
  - {name: b, rate: 3/min}
  - {name: c, match: {paths: [/c]}, block: true, shadow: true}
)");
  EXPECT_EQ(gate.get("/"), "proxied");
  EXPECT_EQ(gate.get("/"), "proxied");
  EXPECT_EQ(gate.get("/c"), "proxied (shadow: a,c)");
  EXPECT_EQ(gate.get("/"), "limited by b (shadow: a)");
  EXPECT_EQ(gate.counts("a"), "allowed 2, shadow 2");
  EXPECT_EQ(gate.counts("b"), "allowed 3, limited 1");
  EXPECT_EQ(gate.counts("c"), "shadow 1");
  EXPECT_TRUE(gate.states().current().bans->list(gate.now).empty());
}

TEST(Engine, AShadowLimitIsChargedWhereAnotherRefuses) {
  Gate gate(R"(
limits:
  - {name: a, rate: 2/min, shadow: true}
  - {name: b, block: true}
)");
  EXPECT_EQ(gate.get("/"), "blocked by b");
  EXPECT_EQ(gate.get("/"), "blocked by b");
  EXPECT_EQ(gate.get("/"), "blocked by b (shadow: a)");
}

TEST(Engine, TopLevelShadowJudgesAllAndRefusesNothing) {
  Gate gate(R"(
shadow: true
hosts: [www.example.jp]
limits:
  - {name: probes, match: {paths: [/wp-login.php]}, block: true, ban: 10min}
  - {name: all, rate: 1/min, ratelimit_headers: always}
)");
  EXPECT_EQ(gate.get("/"), "proxied");
  EXPECT_FALSE(gate.admission.show_ratelimit);
  EXPECT_EQ(gate.get("/"), "proxied (shadow: all)");
  EXPECT_EQ(gate.admission.action, nullptr);
  EXPECT_FALSE(gate.admission.show_retry_after);
  TestRequest request = path("/wp-login.php");
  request.host = "10.0.0.1";
  // The host would have refused it, so the limits judge, charge and ban nothing.
  EXPECT_EQ(gate.verdict(request), "proxied (shadow: hosts)");
  EXPECT_TRUE(gate.states().current().bans->list(gate.now).empty());
  EXPECT_EQ(gate.get("/wp-login.php"), "proxied (shadow: probes,all)");
  EXPECT_EQ(gate.states().current().bans->list(gate.now).size(), 1u);
  EXPECT_EQ(gate.get("/"), "proxied (shadow: probes)");
  EXPECT_EQ(gate.counts("probes"), "shadow 2");
  EXPECT_EQ(gate.counts("all"), "allowed 1, shadow 2");
  request.host = "-";
  EXPECT_EQ(gate.verdict(request), "bad_request");
}

// finish and refund.

TEST(Engine, RefundGivesBackWhatWasCharged) {
  Gate gate(two_limits);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(gate.get("/login"), "proxied");
    EXPECT_EQ(gate.admission.charged.size(), 2u);
    gate.engine().refund(gate.admission, gate.now);
    gate.engine().finish(gate.admission, 503, gate.now);
  }
  EXPECT_EQ(gate.passed("/login", 5), 2);
}

TEST(Engine, ARefundIsMadeOnceAndOfNoMoreThanIsStillOwed) {
  Gate gate("limits: [{name: l, rate: 4/min}, {name: s, rate: 1/min, shadow: true}]");
  EXPECT_EQ(gate.passed("/", 3), 3);
  EXPECT_EQ(gate.get("/"), "proxied (shadow: s)");
  EXPECT_EQ(gate.admission.charged.size(), 1u) << "what shadow would have refused took nothing";
  gate.wait(seconds(6));  // of the 15 that give a token back
  for (int i = 0; i < 3; ++i) gate.engine().refund(gate.admission, gate.now);
  gate.engine().finish(gate.admission, 503, gate.now);
  gate.engine().refund(gate.admission, gate.now);
  EXPECT_EQ(gate.passed("/", 4), 1);
  gate.wait(milliseconds(14'999));
  EXPECT_EQ(gate.passed("/", 4), 0);
  gate.wait(milliseconds(2));
  EXPECT_EQ(gate.passed("/", 4), 1);
}

TEST(Engine, ARefundedShadowLimitIsAsBefore) {
  Gate gate("limits: [{name: s, rate: 1/min, shadow: true}]");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(gate.get("/"), "proxied") << i;
    gate.engine().refund(gate.admission, gate.now);
    gate.engine().finish(gate.admission, 502, gate.now);
  }
}

TEST(Engine, AfterFinishNothingIsLeftToRefund) {
  Gate gate(two_limits);
  gate.get("/login");
  gate.engine().finish(gate.admission, 200, gate.now);
  gate.engine().refund(gate.admission, gate.now);
  EXPECT_EQ(gate.passed("/login", 5), 1);
}

TEST(Engine, ProblemsOfPatternsAndKeysAreAllTold) {
  const auto config = load_config(R"(
hosts: ["a.*.jp"]
limits:
  - {name: a, match: {paths: ["~("]}, rate: 1/s}
  - {name: b, key: client, rate: 1/s}
  - {name: c, match: {networks: [300.0.0.0/8]}, rate: 1/s}
)");
  ASSERT_NE(config, nullptr);
  config::Diagnostics diagnostics;
  const LimitSet states = LimitStates::for_checking(*config, at({}));
  EXPECT_EQ(Engine::compile(config, states, 0, diagnostics), nullptr);
  EXPECT_EQ(diagnostics.all().size(), 4u) << errors_of(diagnostics);
}

}  // namespace
}  // namespace sekisho::policy
