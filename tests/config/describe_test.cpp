#include "config/describe.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/config/loading.hpp"

namespace sekisho::config {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string described(std::string_view limits) {
  const Loaded loaded = load_below_upstream(limits);
  EXPECT_TRUE(loaded.config) << testing::PrintToString(problems(loaded));
  return loaded.config ? describe_limits(*loaded.config) : "";
}

TEST(Describe, ARate) {
  EXPECT_EQ(
      described("limits: [{name: sign-in, match: {paths: [/users/sign_in], methods: POST}, rate: 5/min}]"),
      "limit sign-in: requests by paths /users/sign_in and methods POST\n"
      "  Each client_ip may make 5 requests at once, and then one every 12s (5 in 1min).\n"
      "  The most in any 1min: 10 requests.\n"
      "  Who is refused (with 429) may return after 12s at most; after 1min without a request all 5 are "
      "there again.\n");
}

TEST(Describe, ABurstAndAnException) {
  const std::string text =
      described("limits: [{name: a, match: {except: {paths: /x}}, rate: 10/s, burst: 40}]");
  EXPECT_THAT(text, HasSubstr("limit a: every request, except by paths /x\n"));
  EXPECT_THAT(text, HasSubstr("40 requests at once, and then one every 100ms (10 in 1s)"));
  EXPECT_THAT(text, HasSubstr("The most in any 1s: 50 requests"));
  EXPECT_THAT(text, HasSubstr("after 4s without a request all 40"));
}

TEST(Describe, ATimeIsNotRoundedTwice) {
  EXPECT_THAT(described("limits: [{name: a, rate: 3/s}]"),
              HasSubstr("may return after 334ms at most; after 1s without a request all 3"));
  EXPECT_THAT(described("limits: [{name: a, rate: 7/min, burst: 21}]"), HasSubstr("after 3min without"));
}

TEST(Describe, ListsAreNamedUpToAFew) {
  EXPECT_THAT(
      described("limits: [{name: a, rate: 3/s, match: {paths: [/a, \"/b/**\"], methods: [GET, POST]}}]"),
      HasSubstr("limit a: requests by paths /a, /b/** and methods GET, POST\n"));
  EXPECT_THAT(described("limits: [{name: a, rate: 3/s, match: {paths: [/1, /2, /3, /4, /5, /6]}}]"),
              HasSubstr("paths /1, /2, /3, /4, /5, /6\n"));
  EXPECT_THAT(described("limits: [{name: a, rate: 3/s, match: {paths: [/1, /2, /3, /4, /5, /6, /7]}}]"),
              HasSubstr("paths /1, /2, /3, /4, /5, 2 more\n"));
  EXPECT_THAT(
      described("limits: [{name: a, rate: 3/s, match: {paths: \"/x/**\", except: [{paths: [/x/a, /x/b]}, "
                "{methods: GET, except: {paths: /x/c}}]}}]"),
      HasSubstr("limit a: requests by paths /x/**, except by paths /x/a, /x/b, or by methods GET (except "
                "by paths /x/c)\n"));
}

TEST(Describe, AShadowLimitSetsNoBan) {
  const std::string text = described("limits: [{name: a, rate: 5/s, ban: 1h, shadow: true}]");
  EXPECT_THAT(text, HasSubstr("Its ban is not set while it is in shadow."));
  EXPECT_THAT(text, Not(HasSubstr("bans for")));
  EXPECT_THAT(described("shadow: true\nlimits: [{name: a, rate: 5/s, ban: 1h}]"), HasSubstr("bans for 1h"));
}

TEST(Describe, ABlockWithABan) {
  const std::string text = described(
      "limits: [{name: a, match: {paths: builtin:probes}, block: true, ban: {for: 10min, up_to: 1d}}]");
  EXPECT_THAT(text, HasSubstr("Every one of them is refused with 403."));
  EXPECT_THAT(text, HasSubstr("The first refusal bans for 10min: every request of that client is then "
                              "refused, each time twice as long, up to 1d."));
}

TEST(Describe, ARefusalThatBansAtOnceIsNoShortWait) {
  const std::string text = described("limits: [{name: a, rate: 5/s, ban: 1h}]");
  EXPECT_THAT(text, HasSubstr("is banned at once"));
  EXPECT_THAT(text, Not(HasSubstr("may return")));
}

TEST(Describe, BanTerms) {
  const std::string text =
      described("limits: [{name: a, rate: 5/s, ban: {after: 20, within: 1min, for: 1h, scope: match}}]");
  EXPECT_THAT(text, HasSubstr("Refusal 20 in quick succession"));
  EXPECT_THAT(text, HasSubstr("what this limit matches is then refused.\n"));
}

TEST(Describe, TheFleetsShare) {
  const std::string text = described("fleet: {tasks: 4}\nlimits: [{name: a, rate: 10/s, burst: 40}]");
  EXPECT_THAT(text, HasSubstr("10 requests at once, and then one every 400ms (10 in 4s)"));
  EXPECT_THAT(
      text,
      HasSubstr("the 4 tasks together allow 40 at once and 10 in 1s after that, at most 50 in any 1s."));
  EXPECT_THAT(described("fleet: {tasks: 4}\nlimits: [{name: a, rate: 10/s, per: task}]"),
              Not(HasSubstr("tasks together")));
}

TEST(Describe, TheShareOfACountedFleet) {
  const Loaded loaded =
      load_below_upstream("fleet: {tasks: dns:app.internal}\nlimits: [{name: a, rate: 10/s, burst: 40}]");
  ASSERT_TRUE(loaded.config);
  EXPECT_THAT(
      describe_limits(*loaded.config, 4),
      AllOf(HasSubstr("10 requests at once, and then one every 400ms (10 in 4s)"),
            HasSubstr("one task's share, divided by the addresses of app.internal, now 4; the 4 tasks "
                      "together allow 40 at once")));
  EXPECT_THAT(describe_limits(*loaded.config, 1),
              AllOf(HasSubstr("40 requests at once"),
                    HasSubstr("divided by the addresses of app.internal, now 1.\n")));
  EXPECT_THAT(describe_limits(*loaded.config),
              AllOf(HasSubstr("40 requests at once"),
                    HasSubstr("while running they are divided by the addresses of app.internal"),
                    Not(HasSubstr("now 1"))));
  const Loaded alone =
      load_below_upstream("fleet: {tasks: dns:app.internal}\nlimits: [{name: a, rate: 10/s, per: task}]");
  EXPECT_THAT(describe_limits(*alone.config), Not(HasSubstr("app.internal")));
}

TEST(Describe, KeysAndShadow) {
  const std::string text = described(
      "limits: [{name: a, rate: 1/s, key: global, shadow: true}, {name: b, rate: 1/s, key: [client_ip, "
      "path]}]");
  EXPECT_THAT(text, HasSubstr("All clients together may make 1 request at once"));
  EXPECT_THAT(text, HasSubstr("Shadow: it counts and logs, and refuses nothing."));
  EXPECT_THAT(text, HasSubstr("Each client_ip with path may"));
}

TEST(Describe, Memory) {
  const Loaded loaded = load_below_upstream("shadow: false");
  EXPECT_THAT(describe_memory(*loaded.config, 8 * MiB, 2 * MiB),
              testing::AllOf(HasSubstr("8.0 MiB for the tables"),
                             HasSubstr("2.0 MiB for the workers' counts"), HasSubstr("128.0 MiB for buffers"),
                             HasSubstr("138.0 MiB in all"), HasSubstr("up to 64 KiB more")));
}

TEST(Describe, WhatWaitsIsCountedOrIsInProgress) {
  EXPECT_THAT(described("limits: [{name: a, rate: 2/s, burst: 1, delay: 5s}]"),
              HasSubstr("  Above that a request waits for its turn, up to 5s, and is refused only then.\n"
                        "  The most in any 1s: 3 requests.\n"));
  EXPECT_THAT(
      described("limits: [{name: a, rate: 20/min, on_status: {codes: [404, 5xx], distinct: path}}]"),
      AllOf(HasSubstr("  Each client_ip may get 20 responses with 404 or 5xx, each of another path, at once, "
                      "and then one every 3s (20 in 1min).\n"),
            HasSubstr("who has none left is refused, whatever the request is for. A path is charged once "
                      "in 1min.\n")));
  EXPECT_THAT(described("fleet: {tasks: 4}\nlimits: [{name: a, rate: 20/min, on_status: {codes: [404], "
                        "distinct: path}}]"),
              HasSubstr("A path is charged once in 4min.\n"));
  EXPECT_THAT(
      described("limits: [{name: a, key: global, in_flight: 3, action: 503}]"),
      HasSubstr("  All clients together may have 3 requests in progress at once; one more is refused with "
                "503.\n"));
  EXPECT_THAT(described("limits: [{name: a, rate: 1/s, action: {tarpit: 10s}}]"),
              HasSubstr("refused (with 429 after 10s)"));
}

}  // namespace
}  // namespace sekisho::config
