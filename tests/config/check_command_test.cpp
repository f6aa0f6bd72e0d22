#include "main/check_command.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "tests/config/loading.hpp"

namespace sekisho {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct Checked {
  int status;
  std::string out, err;
};

Checked check(std::string_view yaml, bool strict = false) {
  const config::Environment source("SEKISHO_T_CHECK", std::string(yaml));
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int status = check_command("env:SEKISHO_T_CHECK", strict);
  std::string out = testing::internal::GetCapturedStdout();
  return {status, std::move(out), testing::internal::GetCapturedStderr()};
}

constexpr std::string_view quiet =
    "upstream: {servers: 127.0.0.1:3000, max_in_flight: 5}\nclient_ip: {trusted_proxies: [loopback]}\n";

TEST(CheckCommand, AGoodFileInPlainWords) {
  const Checked run = check(std::string(quiet) + "limits: [{name: a, rate: 5/min}]\n");
  EXPECT_EQ(run.status, 0);
  EXPECT_THAT(run.out, AllOf(HasSubstr("limit a: every request"), HasSubstr("5 requests at once"),
                             HasSubstr("memory: ")));
  EXPECT_THAT(run.err, IsEmpty());
}

TEST(CheckCommand, TheFleetsNameIsLookedUpWhereThatIsQuick) {
  const std::string limits = "limits: [{name: a, rate: 9/min}]\n";
  const Checked known = check(std::string(quiet) + "fleet: {tasks: dns:localhost}\n" + limits);
  EXPECT_EQ(known.status, 0);
  EXPECT_THAT(known.out, HasSubstr("divided by the addresses of localhost, now 1."));
  const auto begin = std::chrono::steady_clock::now();
  const Checked unknown = check(std::string(quiet) + "fleet: {tasks: dns:nowhere.invalid}\n" + limits);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4))
      << "whatever the resolver does";
  EXPECT_EQ(unknown.status, 0);
  EXPECT_THAT(unknown.out,
              HasSubstr("divided by the addresses of nowhere.invalid, which are looked up then"));
}

TEST(CheckCommand, ProblemsOfShapeAndOfPatternsInOneRun) {
  const Checked run = check(
      "upstream: 127.0.0.1:3000\nworkers: 010\nlimits: [{name: a, rate: 5/s, match: {paths: \"~(\"}}]\n");
  EXPECT_EQ(run.status, 1);
  EXPECT_THAT(run.out,
              AllOf(HasSubstr("env:SEKISHO_T_CHECK:2:10: "), HasSubstr("env:SEKISHO_T_CHECK:3:46: ")));
  EXPECT_THAT(run.out, Not(HasSubstr("memory: ")));
}

TEST(CheckCommand, APatternAloneIsEnoughToRefuse) {
  const Checked run = check(std::string(quiet) + "exempt: [{networks: 10.0.0.0/33}]\n");
  EXPECT_EQ(run.status, 1);
  EXPECT_THAT(run.out, HasSubstr("env:SEKISHO_T_CHECK:3:21: "));
}

TEST(CheckCommand, WarningsCountOnlyWhenStrict) {
  const std::string yaml = std::string(quiet) + "admin: off\n";
  const Checked lenient = check(yaml);
  EXPECT_EQ(lenient.status, 0);
  EXPECT_THAT(lenient.err, HasSubstr("env:SEKISHO_T_CHECK:3:8: warning: admin is off"));
  EXPECT_EQ(check(yaml, true).status, 1);
  EXPECT_EQ(check(quiet, true).status, 0);
}

TEST(CheckCommand, SaysWhatDoesNotFitInTheMemoryHere) {
  std::string limits = "table: {capacity: 1000}\nlimits:\n";
  for (int i = 0; i < 900; ++i) {
    const std::string number = std::to_string(i);
    limits +=
        "- {name: l" + number + ", match: {paths: /" + number + "}, rate: 5/min, capacity: 900000000}\n";
  }
  limits += "- {name: most, match: {paths: /m}, rate: 5/min, capacity: 1000000000}\n";
  const Checked run = check(std::string(quiet) + limits);
  EXPECT_EQ(run.status, 0);
  EXPECT_THAT(run.out, testing::ContainsRegex(
                           "beside what runs here now it would be refused: the limits' tables need .* "
                           "lower the capacity of limit most, which takes"));
  EXPECT_EQ(check(std::string(quiet) + limits, true).status, 0) << "another machine may have it";
}

TEST(CheckCommand, TheSumHasWhatEachWorkerKeeps) {
  const std::string limits = "workers: 4\nlimits: [{name: a, rate: 5/min, capacity: 100}]\n";
  EXPECT_THAT(check(std::string(quiet) + limits).out, HasSubstr("; 4.0 MiB for the workers' counts"));
}

TEST(CheckCommand, AnEmptyKeyIsOneProblem) {
  const Checked run = check(std::string(quiet) + "limits: [{name: a, rate: 5/s, key: []}]\n");
  EXPECT_EQ(run.status, 1);
  EXPECT_THAT(run.out, testing::StartsWith("env:SEKISHO_T_CHECK:3:36: "));
  EXPECT_EQ(std::count(run.out.begin(), run.out.end(), '\n'), 1) << run.out;
}

TEST(CheckCommand, OldRangesAreWarnedOf) {
  const config::TemporaryDirectory directory;
  const std::string ranges = directory.write(
      "old.json",
      R"({"createDate": "2019-01-01-00-00-00", "prefixes": [{"service": "X", "ip_prefix": "10.1.0.0/16"}]})");
  const std::string yaml =
      "upstream: {servers: 127.0.0.1:3000, max_in_flight: 5}\nclient_ip: {trusted_proxies: [{service: X, "
      "aws_ip_ranges: " +
      ranges + "}]}\n";
  const Checked run = check(yaml);
  EXPECT_EQ(run.status, 0) << run.out;
  EXPECT_THAT(run.err, AllOf(HasSubstr("env:SEKISHO_T_CHECK:2:"), HasSubstr("2019-01-01")));
  EXPECT_EQ(check(yaml, true).status, 1);
}

TEST(CheckCommand, AnUnreadableSource) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(check_command("/nonexistent.yaml", false), 1);
  EXPECT_THAT(testing::internal::GetCapturedStdout(),
              testing::StartsWith("/nonexistent.yaml: cannot be opened"));
}

}  // namespace
}  // namespace sekisho
