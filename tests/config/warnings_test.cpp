#include "config/warnings.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/config/loading.hpp"

namespace sekisho::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

// Lines 1 and 2 give no cause for any warning.
std::vector<std::string> warnings(std::string_view yaml,
                                  std::string_view upstream = "{servers: 127.0.0.1:3000, max_in_flight: 5}",
                                  std::string_view proxies = "{trusted_proxies: [10.0.0.0/24]}") {
  Loaded loaded = load_yaml("upstream: " + std::string(upstream) + "\nclient_ip: " + std::string(proxies) +
                            "\n" + std::string(yaml));
  EXPECT_TRUE(loaded.config) << yaml << testing::PrintToString(problems(loaded));
  if (loaded.config) add_warnings(*loaded.config, loaded.diagnostics);
  return problems(loaded, Severity::warning);
}

TEST(Warnings, NoneWithoutCause) {
  EXPECT_THAT(warnings("limits: [{name: probes, match: {paths: builtin:probes}, block: true, ban: 10min},\n "
                       "{name: sign-in, match: {paths: /s}, rate: 5/min}, "
                       "{name: all, rate: 10/s, burst: 40}]"),
              IsEmpty());
}

TEST(Warnings, EachAtItsPlace) {
  const std::tuple<std::string_view, std::string_view, std::string_view> cases[] = {
      {"client: {idle_timeout: 60s}", "3:24: ", "not above the 60s"},
      {"shutdown: {drain: 30s}", "3:19: ", "stopTimeout"},
      {"client: {max_header_bytes: 63KiB}", "3:28: ", "below the 64KiB"},
      {"admin: off", "3:8: ", "admin is off"},
      {"routes: [{upstream: {response_timeout: 5s}}, {match: {paths: /a}}]",
       "3:46: ", "route 2 is never reached: route 1 in line 3"},
      {"routes: [{match: {paths: [\"/a/**\", /b]}}, {match: {paths: /b, methods: [GET]}}]",
       "3:43: ", "route 2 is never reached: route 1 in line 3"},
      {"error_pages: {502: /etc/502.html}", "3:15: ", "named by file:/etc/502.html"},
      {"admin: 0.0.0.0:9180", "3:8: ", "has no token"},
      {"admin: \"[::]:9180\"", "3:8: ", "has no token"},
      {"hosts: {action: 404}", "3:17: ", "CloudFront caches 404"},
      {"hosts: {action: close}", "3:17: ", "502"},
      {"limits: [{name: a, rate: 5/s, action: 503}]", "3:39: ", "CloudFront caches 503"},
      {"limits: [{name: a, rate: 5/s, action: close}]", "3:39: ", "behind a balancer"},
      {"limits: [{name: a, rate: 5/s, key: \"header:X-Key\"}]",
       "3:36: ", "the client chooses its header:X-Key"},
      {"limits: [{name: a, rate: 5/s, key: [client_ip, path]}]", "3:48: ", "the client chooses its path"},
      {"limits: [{name: a, in_flight: 5, capacity: 100}]", "3:44: ", "limit a: capacity has no effect here"},
      {"limits: [{name: a, block: true, ban: 1h, capacity: 100}]", "3:52: ", "capacity has no effect here"},
      {"limits: [{name: a, in_flight: 5, per: task}]", "3:39: ", "limit a: per has no effect here"},
      {"limits: [{name: a, block: true, per: fleet}]", "3:38: ", "limit a: per has no effect here"},
      {"limits: [{name: a, rate: 5/s, on_status: 404, delay: 1s}]",
       "3:54: ", "holds back by what a client owed before"},
  };
  for (const auto& [yaml, place, says] : cases) {
    EXPECT_THAT(warnings(yaml),
                ElementsAre(testing::AllOf(StartsWith(std::string(place)), HasSubstr(std::string(says)))))
        << yaml;
  }
}

TEST(Warnings, WhatHasAnEffectIsFine) {
  for (const std::string_view limit :
       {"rate: 5/s, capacity: 100, per: task", "block: true, ban: {after: 2, for: 1h}, capacity: 100",
        "in_flight: 5, ban: {after: 2, for: 1h}, capacity: 100", "rate: 5/s, in_flight: 5, per: task",
        "rate: 5/s, on_status: 404, delay: 0s"}) {
    EXPECT_THAT(warnings("limits: [{name: a, " + std::string(limit) + "}]"), IsEmpty()) << limit;
  }
}

TEST(Warnings, JustWithinBoundsIsFine) {
  for (const std::string_view yaml :
       {"client: {idle_timeout: 61s}", "shutdown: {drain: 29s}", "client: {max_header_bytes: 64KiB}",
        "admin: 127.0.0.1:9999", "admin: {listen: 0.0.0.0:9180, token: t}", "admin: unix:/run/a.sock",
        "hosts: {action: 403}", "limits: [{name: a, rate: 5/s, action: 403}]"}) {
    EXPECT_THAT(warnings(yaml), IsEmpty()) << yaml;
  }
  EXPECT_THAT(
      warnings("hosts: {action: close}", "{servers: x:1, max_in_flight: 5}", "{trusted_proxies: [loopback]}"),
      IsEmpty());
}

TEST(Warnings, AProxyHeaderThatNobodyMaySend) {
  const std::string_view listen = "listen: {address: \"0.0.0.0:1\", proxy_protocol: true}";
  EXPECT_THAT(warnings(listen, "{servers: x:1, max_in_flight: 5}", "{trusted_proxies: []}"),
              ElementsAre(HasSubstr("0.0.0.0:1: with proxy_protocol every connection is refused")));
  EXPECT_THAT(warnings(listen, "{servers: x:1, max_in_flight: 5}", "{trusted_proxies: [loopback]}"),
              IsEmpty());
}

TEST(Warnings, OfTheDefaults) {
  EXPECT_THAT(warnings("", "x:1", "{header: X-Forwarded-For}"),
              ElementsAre(HasSubstr("max_in_flight is 0"), HasSubstr("private")));
  EXPECT_THAT(warnings("", "{servers: x:1, max_in_flight: 5, idle_timeout: 20s}"),
              ElementsAre(HasSubstr("puma's persistent_timeout")));
  EXPECT_THAT(warnings("", "{servers: x:1, max_in_flight: 0}"), ElementsAre(StartsWith("1:41: ")));
}

TEST(Warnings, AKeyOfTheClientsChoiceIsBackedByOneByAddress) {
  EXPECT_THAT(warnings("limits: [{name: a, rate: 5/s, key: \"cookie:s\"}, {name: b, rate: 50/s}]"),
              IsEmpty());
  EXPECT_THAT(
      warnings(
          "limits: [{name: a, rate: 5/s, key: \"cookie:s\"}, {name: b, rate: 50/s, match: {paths: /x}}]"),
      ElementsAre(HasSubstr("chooses")));
  EXPECT_THAT(
      warnings("limits: [{name: a, rate: 5/s, key: \"cookie:s\"}, {name: b, rate: 50/s, shadow: true}]"),
      ElementsAre(HasSubstr("chooses")));
  EXPECT_THAT(warnings("limits: [{name: a, rate: 5/s, key: \"cookie:s\", match: {paths: /x}}, {name: b, "
                       "rate: 50/s, match: {paths: [/y, /x]}}]"),
              IsEmpty());
}

TEST(Warnings, BackedByALimitOverMoreThanTheSameRequests) {
  for (const std::string_view pair :
       {"{name: api, match: {paths: \"/api/**\"}, key: \"header:Authorization\", rate: 50/s}, {name: all, "
        "match: "
        "{except: {paths: [\"/assets/**\", /up, \"=/robots.txt\"]}}, rate: 10/s}",
        "{name: a, match: {paths: /x/y}, key: \"cookie:s\", rate: 50/s}, {name: b, match: {paths: "
        "\"/x/**\"}, rate: "
        "10/s}",
        "{name: a, match: {paths: [\"/x/*/z\", \"/x/**\", \"=/x/q\", /x, \"/x/y/**\"]}, key: \"cookie:s\", "
        "rate: "
        "50/s}, {name: b, match: {paths: \"/x/**\"}, rate: 10/s}",
        "{name: a, match: {paths: [/a, \"/*.php\"]}, key: \"cookie:s\", rate: 50/s}, {name: b, match: "
        "{paths: "
        "\"/**\"}, rate: 10/s}",
        "{name: a, match: {paths: builtin:probes/php}, key: \"cookie:s\", rate: 5/s}, {name: b, match: "
        "{paths: "
        "builtin:probes}, block: true, shadow: false, key: client_ip}",
        "{name: a, match: {methods: HEAD}, key: \"cookie:s\", rate: 50/s}, {name: b, match: {methods: [GET, "
        "POST]}, "
        "rate: 10/s}",
        "{name: a, match: {methods: POST}, key: \"cookie:s\", rate: 50/s}, {name: b, match: {except: "
        "{methods: "
        "GET}}, rate: 10/s}",
        "{name: a, match: {hosts: [a.b.example, \"*.c.example\"]}, key: \"cookie:s\", rate: 50/s}, {name: b, "
        "match: "
        "{hosts: \"*.example\"}, rate: 10/s}"}) {
    EXPECT_THAT(warnings("limits: [" + std::string(pair) + "]"), testing::Each(Not(HasSubstr("chooses"))))
        << pair;
  }
  for (
      const std::string_view pair :
      {"{name: a, match: {paths: \"/api/**\"}, key: \"cookie:s\", rate: 5/s}, {name: b, match: {except: "
       "{paths: "
       "\"/api/v1/**\"}}, rate: 50/s}",
       "{name: a, match: {paths: \"/*/x\"}, key: \"cookie:s\", rate: 5/s}, {name: b, match: {except: {paths: "
       "/up}}, rate: 50/s}",
       "{name: a, match: {paths: /up}, key: \"cookie:s\", rate: 5/s}, {name: b, match: {except: {paths: "
       "/up.json}}, rate: 50/s}",
       "{name: a, match: {paths: \"~^/x\"}, key: \"cookie:s\", rate: 5/s}, {name: b, match: {except: {paths: "
       "/up}}, rate: 50/s}",
       "{name: a, match: {paths: /xy}, key: \"cookie:s\", rate: 5/s}, {name: b, match: {paths: \"/x/**\"}, "
       "rate: "
       "50/s}",
       "{name: a, match: {paths: \"/x/**\"}, key: \"cookie:s\", rate: 5/s}, {name: b, match: {paths: "
       "\"/x/*\"}, "
       "rate: 50/s}",
       "{name: a, match: {methods: GET}, key: \"cookie:s\", rate: 5/s}, {name: b, match: {methods: HEAD}, "
       "rate: "
       "50/s}",
       "{name: a, match: {methods: HEAD}, key: \"cookie:s\", rate: 5/s}, {name: b, match: {except: {methods: "
       "GET}}, rate: 50/s}",
       "{name: a, match: {hosts: example}, key: \"cookie:s\", rate: 5/s}, {name: b, match: {hosts: "
       "\"*.example\"}, rate: 50/s}"}) {
    EXPECT_THAT(warnings("limits: [" + std::string(pair) + "]"), ElementsAre(HasSubstr("chooses"))) << pair;
  }
}

TEST(Warnings, WhatAClientChooses) {
  const auto one = [](std::string_view limit, std::string_view more = "") {
    return warnings("limits: [{name: a, rate: 5/s, " + std::string(limit) + "}]\n" + std::string(more));
  };
  EXPECT_THAT(one("key: [client_ip, method]"), ElementsAre(HasSubstr("chooses its method")));
  EXPECT_THAT(one("key: [client_ip, method], match: {methods: [GET, POST]}"), IsEmpty());
  EXPECT_THAT(one("key: [client_ip, path], match: {paths: \"/x/**\"}"),
              ElementsAre(HasSubstr("chooses its path")));
  EXPECT_THAT(one("key: [client_ip, path], match: {paths: builtin:probes}"),
              ElementsAre(HasSubstr("its path")));
  EXPECT_THAT(one("key: [client_ip, path], match: {paths: [/x, \"=/y*\"]}"), IsEmpty());
  EXPECT_THAT(one("key: [client_ip, host]"), ElementsAre(HasSubstr("chooses its host")));
  EXPECT_THAT(one("key: [client_ip, host]", "hosts: [a.example]"), IsEmpty());
  EXPECT_THAT(one("key: [client_ip, host]", "hosts: [\"*.example\"]"), ElementsAre(HasSubstr("its host")));
  EXPECT_THAT(one("key: [client_ip, host], match: {hosts: a.example}"), IsEmpty());
}

TEST(Warnings, AGroupAndAPathBelowAnotherAreOutdone) {
  EXPECT_THAT(
      warnings("limits: [{name: a, block: true, match: {paths: builtin:probes}}, {name: b, match: {paths: "
               "builtin:probes/php}, rate: 20/s}]"),
      ElementsAre(HasSubstr("limit b never has a say")));
  EXPECT_THAT(
      warnings("limits: [{name: a, rate: 10/s, match: {paths: \"/x/**\"}}, {name: b, match: {paths: /x/y, "
               "methods: HEAD}, rate: 20/s}]"),
      ElementsAre(HasSubstr("limit b never refuses first")));
}

TEST(Warnings, OneTasksShareOfACountedFleetMayBeSmallerThanAnyOther) {
  const std::string limits =
      "limits: [{name: a, rate: 10/s, per: task}, {name: b, match: {paths: /x}, rate: 20/s}]";
  EXPECT_THAT(warnings(limits), ElementsAre(HasSubstr("limit b never refuses first")));
  EXPECT_THAT(warnings("fleet: {tasks: dns:app.internal}\n" + limits), IsEmpty());
  EXPECT_THAT(warnings("fleet: {tasks: dns:app.internal}\nlimits: [{name: a, rate: 10/s}, {name: b, match: "
                       "{paths: /x}, rate: 20/s}]"),
              ElementsAre(HasSubstr("limit b never refuses first")));
}

// Compared each with each this would take a minute.
TEST(Warnings, LongListsAreComparedByTheirOrder) {
  const TemporaryDirectory directory;
  std::string networks;
  for (int i = 0; i < 200'000; ++i)
    networks += fmt::format("10.{}.{}.{}\n", i / 65536, i / 256 % 256, i % 256);
  const std::string file = directory.write("networks.txt", networks);
  const std::string match = "match: {networks: \"file:" + file + "\"}";
  EXPECT_THAT(
      warnings("limits: [{name: a, rate: 10/s, " + match + "}, {name: b, rate: 20/s, " + match + "}]"),
      ElementsAre(HasSubstr("limit b never refuses first")));
}

TEST(Warnings, WhatAResponseOrAnOpenRequestCostsOutdoesNoRate) {
  for (const std::string_view limits :
       {"{name: misses, rate: 20/min, on_status: 404}, {name: b, match: {paths: /x}, rate: 30/min}",
        "{name: misses, rate: 20/min, on_status: 404}, {name: b, match: {paths: /x}, rate: 30/min, burst: 5}",
        "{name: a, rate: 10/s, delay: 5s}, {name: b, match: {paths: /x}, rate: 10/s}",
        "{name: a, rate: 10/s}, {name: b, match: {paths: /x}, rate: 10/s, in_flight: 2}"}) {
    EXPECT_THAT(warnings("limits: [" + std::string(limits) + "]"), IsEmpty()) << limits;
  }
  EXPECT_THAT(
      warnings("limits: [{name: a, rate: 10/s}, {name: b, match: {paths: /x}, rate: 10/s, delay: 5s}]"),
      ElementsAre(HasSubstr("limit b never refuses first")));
  EXPECT_THAT(
      warnings("limits: [{name: a, rate: 10/s}, {name: b, match: {paths: /x}, rate: 20/s, on_status: 404}]"),
      ElementsAre(HasSubstr("limit b never refuses first")));
  // Nor does it stand behind a limit by what the client chooses.
  EXPECT_THAT(
      warnings("limits: [{name: a, rate: 5/s, key: \"cookie:s\"}, {name: b, rate: 9/s, on_status: 404}]"),
      ElementsAre(HasSubstr("chooses its cookie:s")));
}

TEST(Warnings, ALimitThatAnotherOutdoes) {
  EXPECT_THAT(warnings("limits: [{name: a, rate: 10/s}, {name: b, match: {paths: /x}, rate: 20/s}]"),
              ElementsAre(testing::AllOf(StartsWith("3:33: "), HasSubstr("limit b never refuses first: a"))));
  EXPECT_THAT(warnings("limits: [{name: a, rate: 10/s}, {name: b, rate: 10/s}]"),
              ElementsAre(HasSubstr("limit b never refuses first")));
  EXPECT_THAT(warnings("limits: [{name: a, block: true, match: {paths: [/x, /y]}}, {name: b, match: {paths: "
                       "/x}, rate: 20/s}]"),
              ElementsAre(HasSubstr("limit b never has a say")));
  // Not where the other is stricter in neither or only one way, has other keys or exceptions, or only counts.
  for (const std::string_view yaml :
       {"limits: [{name: a, rate: 10/s, burst: 40}, {name: b, match: {paths: /x}, rate: 5/s, burst: 5}]",
        "limits: [{name: a, rate: 10/s, shadow: true}, {name: b, match: {paths: /x}, rate: 20/s}]",
        "limits: [{name: a, rate: 10/s, key: client_network}, {name: b, match: {paths: /x}, rate: 20/s}]",
        "limits: [{name: a, rate: 10/s, match: {except: {paths: /x}}}, {name: b, match: {paths: /x}, rate: "
        "20/s}]",
        "limits: [{name: a, rate: 10/s, match: {methods: POST}}, {name: b, match: {paths: /x}, rate: "
        "20/s}]"}) {
    EXPECT_THAT(warnings(yaml), IsEmpty()) << yaml;
  }
  EXPECT_THAT(warnings("limits: [{name: a, rate: 10/s, match: {except: {paths: /x}}}, {name: b, match: "
                       "{methods: POST, except: {paths: [/x, /y]}}, rate: 20/s}]"),
              ElementsAre(HasSubstr("limit b never refuses first")));
}

TEST(Warnings, ASmallerRateOverAnothersPaths) {
  EXPECT_THAT(warnings("limits: [{name: a, rate: 10/s, burst: 100}, {name: b, match: {paths: /x}, rate: "
                       "20/s, burst: 20}]"),
              ElementsAre(HasSubstr("limit b: its rate is never reached for long")));
}

}  // namespace
}  // namespace sekisho::config
