// Limits that are charged when the response is known (on_status).
#include "tests/policy/policy_fixture.hpp"

namespace sekisho::policy {
namespace {

TEST(OnStatus, OnlyItsCodesAreChargedAndAnEmptyBucketRefuses) {
  Gate gate("limits: [{name: misses, rate: 3/min, on_status: [404, 5xx]}]");
  for (int i = 0; i < 50; ++i) EXPECT_EQ(gate.respond(200, "/"), "proxied");
  EXPECT_EQ(gate.respond(404, "/a"), "proxied");
  EXPECT_EQ(gate.respond(405, "/a"), "proxied");
  EXPECT_EQ(gate.respond(0, "/a"), "proxied") << "no response was sent";
  EXPECT_EQ(gate.respond(503, "/a"), "proxied");
  EXPECT_EQ(gate.respond(500, "/a"), "proxied");
  EXPECT_EQ(gate.respond(200, "/"), "limited by misses") << "whatever it asks for";
  EXPECT_EQ(gate.respond(200, "/", "198.51.100.7"), "proxied") << "nobody else";
  EXPECT_TRUE(gate.admission.charged_late.empty());
  gate.wait(seconds(20) + milliseconds(1));
  EXPECT_EQ(gate.respond(200, "/"), "proxied");
  EXPECT_EQ(gate.respond(404, "/"), "proxied");
  EXPECT_EQ(gate.respond(200, "/"), "limited by misses");
  EXPECT_EQ(gate.counts("misses"), "allowed 58, limited 2");
}

TEST(OnStatus, RequestsUnderWayOverdrawByAnotherBurstAtMost) {
  Gate gate("limits: [{name: misses, rate: 3/min, on_status: 404}]");
  std::vector<Admission> under_way(20);
  gate.use({});
  for (Admission& admission : under_way) {
    gate.engine().admit(gate.view(), gate.now, {}, admission);
    EXPECT_EQ(admission.outcome, Outcome::proxied);
  }
  for (Admission& admission : under_way) gate.engine().finish(admission, 404, gate.now);
  EXPECT_EQ(gate.get("/"), "limited by misses");
  EXPECT_GE(gate.admission.decision.retry_after, seconds(80)) << "six are owed, and one has to be there";
  EXPECT_LE(gate.admission.decision.retry_after, seconds(80) + milliseconds(1));
}

TEST(OnStatus, ALongDelayPutsTheRefusalOffAndNotAway) {
  Gate gate("limits: [{name: misses, rate: 3/min, on_status: 404, delay: 5min}]");
  int admitted = 0;
  for (int i = 0; i < 100; ++i) admitted += gate.respond(404, "/") == "proxied" ? 1 : 0;
  EXPECT_EQ(admitted, 18) << "the burst, and what comes back in five minutes";
  EXPECT_EQ(gate.respond(200, "/"), "limited by misses");
}

TEST(OnStatus, APageWithOneBrokenImageHarmsNobodyAndAScannerIsRefused) {
  Gate gate("limits: [{name: misses, rate: 10/min, on_status: {codes: [404], distinct: path}}]");
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(gate.respond(404, "/broken.png"), "proxied");
    EXPECT_EQ(gate.respond(404, "/%62roken.png?v=" + std::to_string(i)), "proxied");
    gate.wait(milliseconds(100));
  }
  int found = 0;
  for (int i = 0; i < 50; ++i) {
    found += gate.respond(404, "/scan" + std::to_string(i), "198.51.100.7") == "proxied" ? 1 : 0;
  }
  EXPECT_EQ(found, 10);
  EXPECT_EQ(gate.respond(404, "/broken.png"), "proxied");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(gate.respond(404, "/m" + std::to_string(i)), "proxied");
  EXPECT_EQ(gate.respond(200, "/"), "limited by misses") << "each client's paths are its own";
}

// By the rate's share of one task half a token comes back in a minute: a path charged in each would be too
// much.
TEST(OnStatus, APageWithOneBrokenImageHarmsNobodyOnAnyOfManyTasks) {
  constexpr const char* limit =
      "limits: [{name: misses, rate: 4/min, on_status: {codes: [404], distinct: path}}]";
  Gate gate("fleet: {tasks: 8}\n" + std::string(limit));
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(gate.respond(404, "/broken.png"), "proxied") << i;
    gate.wait(seconds(61));
  }
  Gate counted("fleet: {tasks: dns:app.internal}\n" + std::string(limit));
  EXPECT_EQ(counted.share_among(8), std::vector<std::string>());
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(counted.respond(404, "/broken.png"), "proxied") << i;
    counted.wait(seconds(61));
  }
}

TEST(OnStatus, APathIsChargedOnceAPeriod) {
  Gate gate("limits: [{name: misses, rate: 2/min, on_status: {codes: 404, distinct: path}}]");
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(gate.respond(404, "/x"), "proxied") << i;
    gate.wait(seconds(61));
  }
  EXPECT_EQ(gate.respond(404, "/x"), "proxied");
  EXPECT_EQ(gate.respond(404, "/y"), "proxied");
  EXPECT_EQ(gate.respond(404, "/x"), "limited by misses");
}

TEST(OnStatus, WhatAnotherLimitRefusedIsNotCharged) {
  Gate gate(
      "limits: [{name: misses, rate: 3/min, on_status: 4xx}, {name: all, match: {paths: [/a]}, rate: "
      "1/min}]");
  EXPECT_EQ(gate.respond(200, "/a"), "proxied");
  for (int i = 0; i < 9; ++i) EXPECT_EQ(gate.respond(429, "/a"), "limited by all");
  EXPECT_EQ(gate.respond(404, "/"), "proxied");
}

TEST(OnStatus, BansAndShadowAsForAnyLimit) {
  Gate gate("limits: [{name: misses, rate: 2/min, on_status: 404, ban: {after: 3, for: 1h}}]");
  for (int i = 0; i < 2; ++i) gate.respond(404, "/");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(gate.respond(429, "/"), "limited by misses");
  EXPECT_EQ(gate.respond(429, "/"), "banned by misses");

  Gate shadow("limits: [{name: misses, rate: 2/min, on_status: 404, shadow: true}]");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(shadow.respond(404, "/"), "proxied");
  EXPECT_EQ(shadow.respond(200, "/"), "proxied (shadow: misses)");

  Gate both(
      "limits: [{name: misses, rate: 2/min, on_status: 4xx, shadow: true}, {name: all, match: {paths: [/a]}, "
      "block: "
      "true}]");
  for (int i = 0; i < 9; ++i) EXPECT_EQ(both.respond(403, "/a"), "blocked by all");
  EXPECT_EQ(both.respond(200, "/"), "proxied");
}

TEST(OnStatus, WhatRemainsIsWhatIsThere) {
  Gate gate("limits: [{name: misses, rate: 3/min, on_status: 404, ratelimit_headers: always}]");
  gate.respond(200, "/");
  EXPECT_EQ(gate.admission.decision.remaining, 3U);
  EXPECT_EQ(gate.admission.decision.reset_after, seconds(0));
  gate.respond(404, "/");
  gate.respond(200, "/");
  EXPECT_EQ(gate.admission.decision.remaining, 2U);
  EXPECT_GE(gate.admission.decision.reset_after, seconds(20));
  EXPECT_LE(gate.admission.decision.reset_after, seconds(20) + milliseconds(1));
}

TEST(OnStatus, ALongExchangeIsChargedByTheLimitOfNow) {
  Gate gate("limits: [{name: misses, rate: 2/min, on_status: 404}]");
  Admission old;
  gate.use({});
  gate.engine().admit(gate.view(), gate.now, {}, old);
  Gate::Finish finish = gate.take_engine();
  EXPECT_EQ(gate.reload("limits: [{name: misses, rate: 1/h, on_status: 404, capacity: 1000}]"), "");
  finish(old, 404, gate.now);
  EXPECT_EQ(gate.get("/"), "limited by misses");
}

}  // namespace
}  // namespace sekisho::policy
