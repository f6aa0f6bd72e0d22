// A request that is known is judged as one that nobody has seen.
#include <random>

#include "tests/policy/policy_fixture.hpp"

namespace sekisho::policy {
namespace {

// All that admit says.
std::string told(const Admission& out) {
  std::string text(to_string(out.outcome));
  const auto add = [&text](const auto& value) { text += " | " + testing::PrintToString(value); };
  add(out.client.to_string());
  add(out.peer_trusted);
  add(out.authority);
  add(out.origin_target);
  add(out.path);
  add(out.route);
  add(out.limit);
  add(out.limit_name);
  add(out.key);
  add(out.shadow_names);
  add(out.action != nullptr ? static_cast<int>(out.action->status) : -1);
  add(out.decision.admitted);
  add(out.decision.remaining);
  add(out.decision.retry_after.count());
  add(out.decision.reset_after.count());
  add(out.show_ratelimit);
  add(out.show_retry_after);
  add(out.ban_set.count());
  add(out.policy_name);
  add(out.policy_quota);
  add(out.policy_window);
  add(out.delay.count());
  add(out.charged.size());
  add(out.charged_late.size());
  add(out.places.size());
  return text;
}

constexpr const char* configuration = R"(
hosts: [www.example.jp, "*.example.jp"]
client_ip: {trusted_proxies: [loopback, private]}
exempt: [{paths: ["/assets/**"]}]
routes: [{match: {paths: ["/api/**"]}, upstream: "127.0.0.1:3001"}]
limits:
  - {name: probes, match: {paths: [builtin:probes, "/**/*.php"]}, block: true}
  - {name: scan, on_status: {codes: [404], distinct: path}, rate: 3/min, ban: {after: 2, within: 1min, for: 30s}}
  - {name: sign-in, match: {paths: [/users/sign_in]}, key: [client_ip, path], rate: 5/min,
     ban: {after: 2, within: 1min, for: 20s, scope: match}}
  - {name: session, key: ["cookie:_session", host, method], rate: 4/s, shadow: true}
  - {name: token, match: {paths: ["/api/**"]}, key: "header:X-Api-Key", rate: 5/s, delay: 400ms}
  - {name: busy, match: {paths: [/slow]}, in_flight: 2}
  - {name: all, match: {except: {paths: [/up]}}, rate: 10/s, burst: 12, ratelimit_headers: always}
)";

TEST(KnownRequests, AreJudgedAsThoseThatNobodyHasSeen) {
  constexpr const char* targets[] = {
      "/",    "/users/sign_in", "/wp-login.php",           "/a/../b//c;d=e?f=g",
      "/up",  "/api/orders/7",  "/x/..%2fusers/sign_in",   "/slow",
      "/404", "/assets/app.js", "http://www.example.jp/up"};
  constexpr const char* hosts[] = {"www.example.jp", "www.example.jp", "shop.example.jp:8080", "10.0.0.1",
                                   "-"};
  constexpr const char* clients[] = {"198.51.100.7", "198.51.100.8", "2001:db8::1"};
  constexpr const char* peers[] = {"10.0.0.1", "10.0.0.1", "10.0.0.2", "203.0.113.9"};
  std::uint64_t known = 0;
  for (unsigned seed = 1; seed <= 8; ++seed) {
    std::mt19937 random(seed);
    const auto any = [&random](const auto& all) { return all[random() % std::size(all)]; };
    Gate with(configuration), without(configuration);
    without.numbers_requests = false;
    // Few enough that most come again before another takes their place.
    std::vector<TestRequest> requests(12);
    for (TestRequest& request : requests) {
      request.target = any(targets);
      request.host = any(hosts);
      request.peer = any(peers);
      request.headers = {
          {"X-Forwarded-For", any(clients)}, {"X-Api-Key", any(clients)}, {"Cookie", "_session=7"}};
    }
    for (int i = 0; i < 3000; ++i) {
      const TestRequest& request = requests[random() % requests.size()];
      if (random() % 64 == 0) with.wait(seconds(15));
      with.wait(milliseconds(random() % 200));
      without.now = with.now;
      const std::string expected = told(without.send(request));
      ASSERT_EQ(told(with.send(request)), expected) << "seed " << seed << ", request " << i;
      known += with.admission.outcome == Outcome::proxied ? 0 : 1;
      const unsigned status = request.target == "/404" || random() % 8 == 0 ? 404 : 200;
      with.finish(status);
      without.finish(status);
    }
    for (const char* limit : {"probes", "scan", "sign-in", "session", "token", "busy", "all"})
      EXPECT_EQ(with.counts(limit), without.counts(limit)) << limit;
  }
  EXPECT_GT(known, 1000U);  // refusals of every kind were among them
}

TEST(KnownRequests, GoWithTheirEngine) {
  Gate gate("limits: [{name: a, match: {paths: [/x]}, block: true}]");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(gate.get("/x"), "blocked by a");
  EXPECT_EQ(gate.reload("limits: [{name: b, match: {paths: [/y]}, block: true}]"), "");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(gate.get("/x"), "proxied");
}

// The text of the last refused key is kept for the next.
TEST(KnownRequests, AreToldByTheirOwnKey) {
  Gate gate("limits: [{name: a, rate: 1/h}]");
  for (int i = 0; i < 4; ++i) {
    for (const char* peer : {"198.51.100.7", "198.51.100.8", "198.51.100.8"}) {
      gate.get("/", peer);
      if (i > 0) {
        EXPECT_EQ(gate.admission.key, peer);
      }
    }
  }
}

// Another peer may be believed or not.
TEST(KnownRequests, AreOfOnePeer) {
  Gate gate("client_ip: {trusted_proxies: [10.0.0.1]}\nlimits: [{name: a, rate: 1/h}]");
  TestRequest request;
  request.headers = {{"X-Forwarded-For", "198.51.100.7"}};
  for (const char* peer : {"10.0.0.1", "203.0.113.9", "10.0.0.1", "203.0.113.9"}) {
    request.peer = peer;
    EXPECT_EQ(gate.send(request).client.to_string(), peer[0] == '1' ? "198.51.100.7" : "203.0.113.9");
  }
}

}  // namespace
}  // namespace sekisho::policy
