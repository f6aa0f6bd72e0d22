// Whom each limit refused lately, as the metric refused_clients counts them.
#include "tests/policy/policy_fixture.hpp"

namespace sekisho::policy {
namespace {

// By the limit's place in the file.
std::uint64_t refused(Gate& gate, std::size_t limit) {
  std::vector<const ratelimit::RecentKeys*> keys;
  for (const LimitCounts& worker : gate.states().current().limits[limit]->counts) {
    keys.push_back(&worker.refused);
  }
  return ratelimit::RecentKeys::count(keys, gate.now);
}

std::string client(int number) {
  return "203.0.113." + std::to_string(number);
}

TEST(RefusedKeys, OfARateAndOfABlock) {
  Gate gate(R"(
limits:
  - {name: probes, match: {paths: [/probe]}, block: true}
  - {name: all, rate: 1/h, burst: 1}
)");
  for (int number = 0; number < 20; ++number) EXPECT_EQ(gate.get("/", client(number)), "proxied");
  EXPECT_EQ(refused(gate, 1), 0u) << "who is admitted is not counted";
  for (int round = 0; round < 3; ++round) {
    for (int number = 0; number < 12; ++number) gate.get("/", client(number));
    for (int number = 0; number < 5; ++number) gate.get("/probe", client(100 + number));
  }
  EXPECT_EQ(refused(gate, 0), 5u);
  EXPECT_EQ(refused(gate, 1), 12u);
  gate.wait(minutes(5) + seconds(10));
  EXPECT_EQ(refused(gate, 0), 0u);
  EXPECT_EQ(refused(gate, 1), 0u);
}

TEST(RefusedKeys, EveryLimitThatRefusedCounts) {
  Gate gate(R"(
limits:
  - {name: a, rate: 1/h, burst: 1}
  - {name: b, rate: 1/h, burst: 1}
)");
  gate.get("/");
  EXPECT_EQ(gate.get("/"), "limited by a");
  EXPECT_EQ(refused(gate, 0), 1u);
  EXPECT_EQ(refused(gate, 1), 1u);
}

TEST(RefusedKeys, ABannedClientIsTheOneThatWasRefusedBefore) {
  Gate gate("limits: [{name: l, match: {paths: [/probe]}, block: true, ban: 10min}]");
  for (int number = 0; number < 4; ++number) {
    EXPECT_EQ(gate.get("/probe", client(number)), "blocked by l");
    EXPECT_EQ(gate.get("/", client(number)), "banned by l");
  }
  EXPECT_EQ(refused(gate, 0), 4u);
  // It stays in the count for as long as it comes and is refused.
  gate.wait(minutes(4));
  EXPECT_EQ(gate.get("/", client(0)), "banned by l");
  gate.wait(minutes(4));
  EXPECT_EQ(refused(gate, 0), 1u);
}

TEST(RefusedKeys, ByTheLimitsOwnKey) {
  Gate gate(R"(
limits:
  - {name: paths, key: [client_ip, path], block: true, match: {paths: ["/a/*"]}}
  - {name: network, key: client_network, rate: 1/h, burst: 1, match: {paths: [/n]}}
  - {name: everybody, key: global, block: true, match: {paths: [/g]}}
)");
  for (const char* path : {"/a/1", "/a/2", "/a/3", "/a/3.json", "/n", "/n", "/g"}) {
    for (int number = 0; number < 2; ++number) gate.get(path, client(number));
  }
  EXPECT_EQ(refused(gate, 0), 6u);
  EXPECT_EQ(refused(gate, 1), 1u);
  EXPECT_EQ(refused(gate, 2), 1u);
}

TEST(RefusedKeys, ShadowRefusesNobodyAndExplainCountsNothing) {
  Gate gate(R"(
limits:
  - {name: own, match: {paths: [/own]}, block: true, shadow: true}
  - {name: enforced, match: {paths: [/enforced]}, block: true, ban: 10min}
)");
  gate.get("/own");
  TestRequest request;
  request.target = "/enforced";
  gate.explain(request);
  EXPECT_EQ(refused(gate, 0), 0u);
  EXPECT_EQ(refused(gate, 1), 0u);
  Gate watching("shadow: true\nlimits: [{name: l, match: {paths: [/l]}, block: true, ban: 10min}]");
  watching.get("/l");
  watching.get("/l");
  EXPECT_EQ(refused(watching, 0), 0u);
}

TEST(RefusedKeys, AReloadKeepsThem) {
  const std::string yaml = "limits: [{name: l, block: true}]";
  Gate gate(yaml);
  gate.get("/", client(1));
  EXPECT_EQ(gate.reload(yaml), "");
  gate.get("/", client(1));
  gate.get("/", client(2));
  EXPECT_EQ(refused(gate, 0), 2u);
}

// What top talkers know a request's path by.
TEST(Admission, HasTheUsualReadingOfThePath) {
  for (const char* yaml : {"limits: []", "limits: [{name: l, rate: 1000/s}]", "hosts: [other.example]"}) {
    Gate gate(yaml);
    gate.get("/a//b/./c%20d?query=1");
    EXPECT_EQ(gate.admission.path, "/a/b/c d") << yaml;
    gate.get("*");
    EXPECT_EQ(gate.admission.path, "*");
    gate.get("/" + std::string(500, 'x'));
    EXPECT_EQ(gate.admission.path, "/" + std::string(Admission::longest_path - 1, 'x'));
    gate.get("http://www.example.jp?x");
    EXPECT_EQ(gate.admission.path, "/");
  }
}

}  // namespace
}  // namespace sekisho::policy
