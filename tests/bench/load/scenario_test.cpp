#include "bench/load/scenario.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bench/load/class_values.hpp"

namespace sekisho::load {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Read {
  Plan plan;
  std::vector<std::string> problems;
};

Read read(std::string_view yaml, Plan plan = {}) {
  config::Diagnostics diagnostics;
  read_scenario_text(yaml, "s.yaml", plan, diagnostics);
  Read result{std::move(plan), {}};
  for (const config::Diagnostic& problem : diagnostics.sorted())
    result.problems.push_back(diagnostics.format(problem));
  if (result.problems.empty()) complete_plan(result.plan);
  return result;
}

TEST(Scenario, EveryKey) {
  const Read scenario = read(R"(
target: 127.0.0.1:8080
duration: 30s
warmup: 2s
threads: 2
seed: 7
defaults: {host: www.example.jp, timeout: 5s}
classes:
  - name: users
    connections: 50
    think: 2s
    think_random: true
    keepalive: 10
    method: HEAD
    path: [/, /articles]
    header: ["Accept: text/html"]
    clients: per-connection
    client_base: 198.51.100.1
  - name: flood
    threads: 1
    rate: 200/min
    start: 3s
    pipeline: 16
    clients: zipf:400000
    ip: v6
    requests: 1000
  - {fresh: true, body: 4KiB, chunked: true, send_rate: 1KiB, read_rate: 2KiB, path: /upload, host: b}
)");
  ASSERT_THAT(scenario.problems, IsEmpty());
  const Plan& plan = scenario.plan;
  EXPECT_EQ(plan.target->port, 8080);
  EXPECT_EQ(plan.duration, std::chrono::seconds(30));
  EXPECT_EQ(plan.warmup, std::chrono::seconds(2));
  EXPECT_EQ(plan.seed, 7U);
  ASSERT_EQ(plan.classes.size(), 3U);
  const ClientClass &users = plan.classes[0], &flood = plan.classes[1], &third = plan.classes[2];
  EXPECT_EQ(users.name, "users");
  EXPECT_EQ(users.threads, 2U);
  EXPECT_EQ(users.connections, 50U);
  EXPECT_EQ(users.think, std::chrono::seconds(2));
  EXPECT_TRUE(users.think_random);
  EXPECT_EQ(users.keepalive, 10U);
  EXPECT_EQ(users.method, "HEAD");
  EXPECT_THAT(users.paths, ElementsAre("/", "/articles"));
  EXPECT_THAT(users.headers, ElementsAre("Accept: text/html"));
  EXPECT_EQ(users.host, "www.example.jp");
  EXPECT_EQ(users.timeout, std::chrono::seconds(5));
  EXPECT_EQ(users.clients->size, 50U);
  EXPECT_EQ(flood.threads, 1U);
  EXPECT_NEAR(flood.rate, 200.0 / 60, 1e-9);
  EXPECT_EQ(flood.start, std::chrono::seconds(3));
  EXPECT_EQ(flood.pipeline, 16U);
  EXPECT_TRUE(flood.clients->v6);
  EXPECT_EQ(flood.requests, 1000U);
  EXPECT_EQ(third.name, "class3");
  EXPECT_EQ(third.keepalive, 1U);
  EXPECT_EQ(third.method, "POST");
  EXPECT_EQ(third.body, 4096U);
  EXPECT_EQ(third.send_rate, 1024U);
  EXPECT_EQ(third.read_rate, 2048U);
  EXPECT_EQ(third.host, "b");
}

TEST(Scenario, TheCommandLineWins) {
  Plan plan;
  plan.target.emplace().port = 1;
  plan.duration = std::chrono::seconds(1);
  plan.duration_given = true;
  const Read scenario = read("{target: 127.0.0.1:2, duration: 9s, warmup: 3s, classes: [{rate: 5}]}", plan);
  ASSERT_THAT(scenario.problems, IsEmpty());
  EXPECT_EQ(scenario.plan.target->port, 1);
  EXPECT_EQ(scenario.plan.duration, std::chrono::seconds(1));
  EXPECT_EQ(scenario.plan.warmup, std::chrono::seconds(3));
}

TEST(Scenario, WhoseRequestsAreCountedWaitsForAllOfThem) {
  const Read all = read("classes: [{requests: 5}]");
  EXPECT_GT(all.plan.duration, std::chrono::hours(1));
  EXPECT_EQ(all.plan.warmup, Duration::zero());
  const Read some = read("classes: [{requests: 5}, {name: b}]");
  EXPECT_EQ(some.plan.duration, std::chrono::seconds(10));
}

TEST(Scenario, ProblemsHaveTheirPlace) {
  const auto only = [](std::string_view yaml) {
    const auto problems = read(yaml).problems;
    EXPECT_EQ(problems.size(), 1U) << testing::PrintToString(problems);
    return problems.empty() ? std::string() : problems.front();
  };
  EXPECT_EQ(only("classes:\n  - conections: 4\n"),
            "s.yaml:2:5: a class has no key conections; did you mean connections?");
  EXPECT_THAT(only("clases: []\nclasses: [{}]"),
              HasSubstr("s.yaml:1:1: the scenario has no key clases; did you mean classes?"));
  EXPECT_THAT(only("classes: [{rate: fast}]"), HasSubstr("s.yaml:1:18: rate: \"fast\" is no rate"));
  EXPECT_THAT(only("classes: [{rate: 0}]"), HasSubstr("s.yaml:1:18: rate: "));
  EXPECT_THAT(only("classes: [{rate: 5, think: 1s}]"), HasSubstr("s.yaml:1:28: think: is at odds with rate"));
  EXPECT_THAT(only("classes: [{clients: zipf}]"), HasSubstr("s.yaml:1:21: clients: zipf needs a number"));
  EXPECT_THAT(only("classes: [{ip: v6}]"), HasSubstr("s.yaml:1:16: ip: says nothing without clients"));
  EXPECT_THAT(only("classes: [{clients: one, ip: v5}]"),
              HasSubstr("s.yaml:1:30: ip: \"v5\" is not known; did you mean"));
  EXPECT_THAT(only("classes: [{clients: one, ip: v6, client_base: 10.0.0.1}]"),
              HasSubstr("10.0.0.1 is no IPv6 address"));
  EXPECT_THAT(only("classes: [{fresh: true, pipeline: 4}]"),
              HasSubstr("s.yaml:1:35: pipeline: is at odds with fresh"));
  EXPECT_THAT(only("classes: [{path: articles}]"), HasSubstr("path: \"articles\" must begin with /"));
  EXPECT_THAT(only("classes: [{header: \"X\"}]"), HasSubstr("header: \"X\" is no field"));
  EXPECT_THAT(only("classes: [{header: \"X: a\\r\\nY: b\"}]"), HasSubstr("is no field"));
  EXPECT_THAT(only("classes: [{method: G T}]"), HasSubstr("method: \"G T\" is no method"));
  EXPECT_THAT(only("classes: [{duration: 5s}]"), HasSubstr("s.yaml:1:12: a class has no key duration"));
  EXPECT_THAT(only("classes: []"), HasSubstr("s.yaml:1:10: classes is empty"));
  EXPECT_THAT(only("target: 127.0.0.1:1"), HasSubstr("the scenario needs classes"));
  EXPECT_THAT(only("target: nowhere\nclasses: [{}]"), HasSubstr("s.yaml:1:9: target: "));
  EXPECT_THAT(only("classes: [{name: a}, {name: a}]"), HasSubstr("two classes have the name a"));
  EXPECT_THAT(only("classes: [{connections: 0}]"), HasSubstr("connections: 0 is out of range"));
  EXPECT_THAT(only("classes: {name: a}"), HasSubstr("classes must be a list, not a mapping"));
  EXPECT_EQ(only("# nothing\n"), "s.yaml:1:1: the scenario is empty; it must have classes at least");
  EXPECT_THAT(only("- a"), HasSubstr("the scenario must be a mapping"));
  EXPECT_THAT(only("classes: [{"), HasSubstr("s.yaml:1:"));
}

TEST(Scenario, AllProblemsInOneRun) {
  EXPECT_EQ(read("duration: 5\nclasses: [{rate: x, think: 3, path: y}, {pth: /}]").problems.size(), 5U);
}

TEST(Scenario, TheExampleIsOne) {
  Plan plan;
  config::Diagnostics diagnostics;
  read_scenario(SEKISHO_SOURCE_DIR "/bench/load/scenario_attack.yaml", plan, diagnostics);
  EXPECT_FALSE(diagnostics.has_errors()) << diagnostics.format(diagnostics.all().front());
  EXPECT_EQ(plan.classes.size(), 4U);
}

TEST(Scenario, AnUnreadableFile) {
  Plan plan;
  config::Diagnostics diagnostics;
  read_scenario("/nonexistent.yaml", plan, diagnostics);
  ASSERT_TRUE(diagnostics.has_errors());
  EXPECT_THAT(diagnostics.format(diagnostics.all().front()),
              HasSubstr("/nonexistent.yaml: cannot be opened"));
}

}  // namespace
}  // namespace sekisho::load
