#include "bench/load/result.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sekisho::load {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::int64_t second = 1'000'000'000;

Result result_with(std::int64_t cpu, std::int64_t behind) {
  Result result;
  result.target = "127.0.0.1:80";
  result.seconds = 2;
  result.threads = 1;
  ClassResult users;
  users.clients.name = "users";
  Tally& tally = users.tally;
  for (int i = 0; i < 1000; ++i) {
    tally.latency.record(2'000'000);
    tally.behind.record(behind);
  }
  tally.requests = tally.answered_meanwhile = 1000;
  tally.statuses[200] = 990;
  tally.statuses[429] = 10;
  tally.errors[static_cast<std::size_t>(Failure::reset)] = 3;
  tally.wall = 2 * second;
  tally.cpu = cpu;
  result.busiest_thread = static_cast<double>(cpu) / (2.0 * second);
  result.classes.push_back(users);
  return result;
}

TEST(Result, OfAGeneratorWithRoomToSpare) {
  const Result result = result_with(second / 100, 1000);
  EXPECT_THAT(result.bottlenecks(), IsEmpty());
  const auto json = nlohmann::json::parse(json_of(result));
  EXPECT_EQ(json["target"], "127.0.0.1:80");
  EXPECT_EQ(json["load"]["bottleneck"], false);
  EXPECT_NEAR(json["load"]["cpu_us_per_request"], 10, 1e-9);
  EXPECT_NEAR(json["load"]["busiest_thread"], 0.005, 1e-9);
  const auto users = json["classes"][0];
  EXPECT_EQ(users["name"], "users");
  EXPECT_EQ(users["requests"], 1000);
  EXPECT_EQ(users["requests_per_s"], 500);
  EXPECT_EQ(users["statuses"], nlohmann::json({{"200", 990}, {"429", 10}}));
  EXPECT_EQ(users["errors"]["reset"], 3);
  EXPECT_EQ(users["errors"]["timeout"], 0);
  EXPECT_NEAR(users["latency_ms"]["p99.9"], 2, 0.01);
  const std::string table = table_of(result);
  EXPECT_THAT(table, HasSubstr("users: 200 x 990, 429 x 10, 3 cut off"));
  EXPECT_THAT(table, Not(HasSubstr("BOTTLENECK")));
}

TEST(Result, OfOneThatIsTooBusy) {
  const Result result = result_with(2 * second * 95 / 100, 1000);
  EXPECT_EQ(nlohmann::json::parse(json_of(result))["load"]["bottleneck"], true);
  EXPECT_THAT(table_of(result), HasSubstr("IT IS ITSELF THE BOTTLENECK: its busiest thread used 95 %"));
}

TEST(Result, OfOneThatWaitsForAProcessor) {
  Result result = result_with(second / 100, 1000);
  result.waited_share = 0.09;
  EXPECT_THAT(result.bottlenecks(), IsEmpty());
  EXPECT_THAT(table_of(result), HasSubstr(", 9 % of the time waiting for one, "));
  result.waited_share = 0.4;
  const auto load = nlohmann::json::parse(json_of(result))["load"];
  EXPECT_EQ(load["bottleneck"], true);
  EXPECT_EQ(load["bottleneck_reasons"], nlohmann::json({"it waited 40 % of the time for a processor"}));
  EXPECT_EQ(load["waited_share"], 0.4);
  EXPECT_THAT(table_of(result), HasSubstr("IT IS ITSELF THE BOTTLENECK: it waited 40 %"));
}

TEST(Result, OfAKernelThatDoesNotCountWaiting) {
  const Result result = result_with(second / 100, 1000);
  EXPECT_TRUE(nlohmann::json::parse(json_of(result))["load"]["waited_share"].is_null());
  EXPECT_THAT(table_of(result), Not(HasSubstr("waiting")));
}

TEST(Result, OfOneThatIsTooLate) {
  const Result result = result_with(second / 100, 1'500'000);
  EXPECT_EQ(nlohmann::json::parse(json_of(result))["load"]["bottleneck"], true);
  EXPECT_THAT(table_of(result), HasSubstr("requests of users left 1.5 ms late"));
}

TEST(Result, OfAnOpenLoopThatIsShortOfConnections) {
  Result result = result_with(second / 100, 1000);
  ClassResult& users = result.classes[0];
  users.clients.connections = 2;
  EXPECT_TRUE(nlohmann::json::parse(json_of(result))["classes"][0]["all_busy_share"].is_null());
  users.clients.rate = 1000;
  users.tally.unsent = 997;  // of 1000 answered and 3 cut off: 2000
  users.tally.all_busy = 19;
  EXPECT_THAT(result.hints(), IsEmpty());
  users.tally.all_busy = 500;
  const auto json = nlohmann::json::parse(json_of(result));
  EXPECT_EQ(json["classes"][0]["all_busy_share"], 0.25);
  EXPECT_THAT(json["hints"][0], HasSubstr("all 2 connections of users were busy when 25 % of its requests"));
  EXPECT_EQ(json["load"]["bottleneck"], false);
  EXPECT_THAT(table_of(result), HasSubstr("NOTE: all 2 connections of users were busy"));
  users.tally.errors[static_cast<std::size_t>(Failure::connect)] = 1;
  EXPECT_THAT(result.hints(), IsEmpty());
}

TEST(Result, OfNothing) {
  Result result;
  result.classes.emplace_back();
  EXPECT_FALSE(result.answered());
  const auto main = nlohmann::json::parse(json_of(result))["classes"][0];
  EXPECT_EQ(main["requests_per_s"], 0);
  // No latency is not one of 0.
  EXPECT_EQ(main["latency_ms"].size(), 9U);
  for (const auto& latency : main["latency_ms"]) EXPECT_TRUE(latency.is_null());
  EXPECT_THAT(table_of(result), HasSubstr("main: nothing"));
  EXPECT_THAT(table_of(result), testing::ContainsRegex("\nmain .* - +- .* - +- +- "));
  EXPECT_THAT(table_of(result), Not(HasSubstr("0.000")));
}

}  // namespace
}  // namespace sekisho::load
