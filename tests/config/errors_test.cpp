// Every kind of mistake in a file, with the exact place that is named.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/config/loading.hpp"

namespace sekisho::config {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Case {
  std::string_view yaml;   // stands below a good upstream: its first line is line 2
  std::string_view place;  // "LINE:COL: "
  std::string_view says;
};

// Each text has exactly one problem.
const Case one_problem[] = {
    // Keys.
    {"upstraem: x", "2:1: ", "the file has no key upstraem; did you mean upstream?"},
    {"client: {idle_timeot: 3s}", "2:10: ", "did you mean idle_timeout?"},
    {"limits:\n  - {name: a, rate: 5/s, brust: 3}", "3:26: ", "did you mean burst?"},
    {"limits: [{name: a, rate: 5/s, match: {path: /x}}]", "2:39: ", "did you mean paths?"},
    {"limits: [{name: a, block: true, ban: {for: 1min, upto: 1h}}]", "2:50: ", "did you mean up_to?"},
    {"fleet: {qqqqqq: 3}", "2:9: ", "it has tasks"},
    {"shadow: true\nshadow: false", "3:1: ", "shadow stands here twice; the first is in line 2"},
    {"upstream: 127.0.0.1:1", "2:1: ", "upstream stands here twice"},
    {"<<: {shadow: true}", "2:1: ", "merge key"},
    {"hosts:", "2:1: ", "hosts has no value"},
    {"qqqqqq: 3", "2:1: ", "it has listen, workers, shadow"},
    {"hosts: ~", "2:1: ", "hosts has no value"},
    // Types.
    {"shadow: yes", "2:9: ", "is not true or false"},
    {"shadow: [true]", "2:9: ", "shadow must be true or false, not a list"},
    {"client: 5", "2:9: ", "client must be a mapping of keys to values, not a single value"},
    {"client: {idle_timeout: {a: b}}",
     "2:24: ", "idle_timeout must be a duration such as 30s, not a mapping"},
    {"limits: {a: b}", "2:9: ", "limits must be a list"},
    {"limits: [a]", "2:10: ", "a limit must be a mapping"},
    {"exempt: [/up]", "2:10: ", "exempt must be a match such as {paths: [/up]}"},
    {"log: off", "2:6: ", "log must be a mapping"},
    {"routes: {}", "2:9: ", "routes must be a list"},
    // Numbers and ranges.
    {"workers: 010", "2:10: ", "leading zero"},
    {"workers: 0", "2:10: ", "from 1 to 64"},
    {"workers: 65", "2:10: ", "from 1 to 64"},
    {"workers: atuo", "2:10: ", "did you mean auto?"},
    {"workers: many", "2:10: ", "is not a whole number"},
    {"table: {capacity: 0}", "2:19: ", "out of range"},
    {"fleet: {tasks: 0}", "2:16: ", "from 1 to 10000"},
    {"fleet: {tasks: \"dns:\"}", "2:16: ", "such as dns:app.internal"},
    {"fleet: {tasks: dns:app.internal:3000}", "2:16: ", "without a port"},
    {"fleet: {tasks: dns:10.0.0.1}", "2:16: ", "a name alone"},
    {"client: {max_header_bytes: 100}", "2:28: ", "too small; at least 1KiB"},
    {"client: {max_header_bytes: 2GiB}", "2:28: ", "too large; at most 1MiB"},
    {"client: {max_body_bytes: 3MB}", "2:26: ", "is not a size"},
    {"client: {header_timeout: 5}", "2:26: ", "has no unit"},
    {"client: {header_timeout: 0s}", "2:26: ", "out of range; from 1ms to 1d"},
    {"client_ip: {prefix: {ipv4: 33}}", "2:28: ", "from 1 to 32"},
    {"client_ip: {prefix: {ipv4: 16}}", "2:21: ", "network is narrower than prefix"},
    {"shutdown: {grace: 30s}", "2:19: ", "grace (30s) is above drain (25s)"},
    {"log: {sample: {limited: 2}}", "2:25: ", "is not a share"},
    {"log: {sample: {limitd: 0.5}}", "2:16: ", "did you mean limited?"},
    {"log: {level: warn}", "2:14: ", "did you mean warning?"},
    {"log: {access: stdot}", "2:15: ", "did you mean stdout?"},
    {"log: {headers: [\"a b\"]}", "2:17: ", "not the name of a header"},
    // Addresses.
    {"listen: 8080", "2:9: ", "write HOST:PORT, such as 0.0.0.0:8080"},
    {"listen: []", "2:9: ", "listen needs an address"},
    {"listen: [0.0.0.0:80, 0.0.0.0:80]", "2:22: ", "listened on already, in line 2"},
    {"listen: [0.0.0.0:80, 127.0.0.1:80]",
     "2:22: ", "127.0.0.1:80 is listened on already, with 0.0.0.0:80 in line 2"},
    {"listen: [127.0.0.1:80, \"[::]:80\"]", "2:24: ", "listened on already"},
    {"listen: 0.0.0.0:9180", "2:9: ", "is the address of listen too"},
    {"admin: false", "2:8: ", "did you mean off?"},
    {"metrics: false", "2:10: ", "did you mean off?"},
    {"listen: {tls: off}", "2:9: ", "a listener needs an address"},
    {"listen: 127.0.0.1:9180", "2:9: ", "is the address of listen too"},
    {"metrics: 127.0.0.1:9180", "2:10: ", "is the address of admin too"},
    {"metrics: unix:/run/m", "2:10: ", "metrics is for a scraper"},
    {"listen: [\"unix:/run/a\", \"unix:/run/a\"]", "2:25: ", "listened on already"},
    {"listen: unix:/run/a\nadmin: unix:/run/a", "3:8: ", "is the address of listen too"},
    {"listen: unix:run/a", "2:9: ", "must be absolute"},
    {"listen: {address: "
     "unix:/run/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaaaaaaaa}",
     "2:19: ", "must be shorter than 108 bytes"},
    {"admin: localhost:9180", "2:8: ", "an IP address is needed"},
    {"admin: {token: \"a b\"}", "2:16: ", "white space"},
    {"balancer_probe: {path: up}", "2:24: ", "must begin with /"},
    {"client_ip: {header: \"a b\"}", "2:21: ", "not the name of a header"},
    {"client_ip: {trusted_proxies: [{service: X}]}", "2:31: ", "needs aws_ip_ranges"},
    {"hosts: {ip_literals: accept}", "2:22: ", "\"accept\" is not known; write reject, allow"},
    // Limits.
    {"limits: [{rate: 5/s}]", "2:10: ", "a limit needs a name"},
    {"limits: [{name: A, rate: 5/s}]", "2:17: ", "a limit's name is"},
    {"limits: [{name: \"\", rate: 5/s}]", "2:17: ", "name is empty"},
    {"limits: [{name: a}]", "2:10: ", "needs one of rate, block, in_flight"},
    {"limits: [{name: a, block: false}]", "2:27: ", "needs one of rate, block: true, in_flight"},
    {"limits: [{name: a, in_flight: 0}]", "2:31: ", "no bound"},
    {"limits:\n- {name: a, rate: 5/s}\n- {name: a, rate: 6/s}", "4:10: ", "is taken by the limit in line 3"},
    {"limits: [{name: a, rate: 5/fortnight}]", "2:26: ", "write COUNT/PERIOD"},
    {"limits: [{name: a, rate: 0/s}]", "2:26: ", "above zero"},
    {"limits: [{name: a, rate: 5/s, burst: 0}]", "2:38: ", "out of range"},
    {"limits: [{name: a, block: true, burst: 3}]", "2:33: ", "burst says nothing without rate"},
    {"limits: [{name: a, rate: 5/s, on_status: {codes: [], distinct: path}}]", "2:42: ", "needs codes"},
    {"limits: [{name: a, block: true, ratelimit_headers: always}]", "2:33: ", "says nothing without rate"},
    {"limits: [{name: a, block: true, rate: 5/s}]", "2:20: ", "take rate or block out"},
    {"limits: [{name: a, rate: 5/s, action: 302}]", "2:39: ", "status from 400 to 599"},
    {"limits: [{name: a, rate: 5/s, action: 600}]", "2:39: ", "status from 400 to 599"},
    {"limits: [{name: a, rate: 5/s, action: drop}]", "2:39: ", "status from 400 to 599"},
    {"limits: [{name: a, rate: 5/s, action: clos}]", "2:39: ", "did you mean close?"},
    {"limits: [{name: a, rate: 5/s, action: {status: 200}}]", "2:48: ", "status from 400 to 599"},
    {"limits: [{name: a, rate: 5/s, action: {content_type: text/html}}]",
     "2:40: ", "of use only with a body"},
    {"limits: [{name: a, rate: 5/s, action: {body: x, content_type: \"a\\r\\nb\"}}]",
     "2:63: ", "cannot stand in a header"},
    {"limits: [{name: a, rate: 5/s, action: {body: \"file:nope\"}}]", "2:46: ", "nope cannot be opened"},
    {"limits: [{name: a, rate: 5/s, ban: {after: 3}}]", "2:36: ", "ban needs for"},
    {"limits: [{name: a, rate: 5/s, ban: soon}]", "2:36: ", "ban: \"soon\" is not a duration"},
    {"limits: [{name: a, rate: 5/s, ban: 10ms}]", "2:36: ", "out of range"},
    {"limits: [{name: a, rate: 5/s, ban: 181d}]", "2:36: ", "from 1s to 180d"},
    {"limits: [{name: a, rate: 5/s, ban: {for: 300d}}]", "2:42: ", "from 1s to 180d"},
    {"limits: [{name: a, rate: 5/s, ban: {for: 1h, up_to: 365d}}]", "2:53: ", "from 1s to 180d"},
    {"limits: [{name: a, rate: 5/s, ban: {for: 1h, up_to: 1min}}]", "2:53: ", "below the first ban's 1h"},
    {"limits: [{name: a, rate: 5/s, ban: {for: 1h, scope: all}}]", "2:53: ", "write client, match"},
    {"limits: [{name: a, rate: 5/s, key: global, ban: 1h}]", "2:49: ", "needs client_ip or client_network"},
    {"limits: [{name: a, rate: 5/s, key: []}]", "2:36: ", "key: global"},
    {"limits: [{name: a, rate: 5/s, per: host}]", "2:36: ", "write fleet, task"},
    {"limits: [{name: a, rate: 1/365d, burst: 1000000000}]", "2:41: ", "counted exactly"},
    {"fleet: {tasks: 1000}\nlimits: [{name: a, rate: 100000/30d, burst: 5, on_status: {codes: 404, distinct: "
     "path}}]",
     "3:26: ",
     "period, shared among the fleet's tasks, is too long for distinct paths to be counted exactly"},
    // Matches.
    {"exempt: [{}]", "2:10: ", "a match without any clause is every request"},
    {"limits: [{name: a, rate: 5/s, match: {paths: []}}]", "2:46: ", "would match nothing"},
    {"limits: [{name: a, rate: 5/s, match: {methods: post}}]", "2:48: ", "did you mean POST?"},
    {"limits: [{name: a, rate: 5/s, match: {methods: \"A B\"}}]", "2:48: ", "not a method"},
    {"limits: [{name: a, rate: 5/s, match: {headers: {User-Agent: }}}]", "2:49: ", "absent or empty"},
    {"limits: [{name: a, rate: 5/s, match: {headers: {\"a b\": x}}}]", "2:49: ", "not the name of a header"},
    {"limits: [{name: a, rate: 5/s, match: {headers: {A: x, a: y}}}]", "2:55: ", "stands here twice"},
    {"limits: [{name: a, rate: 5/s, match: {headers: x}}]", "2:48: ", "headers must be a mapping"},
    {"limits: [{name: a, rate: 5/s, match: {paths: {a: b}}}]",
     "2:46: ", "paths must be text or a list of text"},
    {"limits: [{name: a, rate: 5/s, match: {networks: \"file:nope\"}}]", "2:49: ", "nope cannot be opened"},
    {"limits: [{name: a, rate: 5/s, match: {networks: \"env:SEKISHO_T_NO\"}}]",
     "2:49: ", "SEKISHO_T_NO is not set"},
    {"error_pages: x", "2:14: ", "error_pages must be a mapping"},
};

TEST(Errors, EachIsOneProblemAtItsPlace) {
  for (const Case& c : one_problem) {
    const Loaded loaded = load_below_upstream(c.yaml);
    EXPECT_FALSE(loaded.config) << c.yaml;
    const auto found = problems(loaded);
    ASSERT_EQ(found.size(), 1U) << c.yaml << "\n" << testing::PrintToString(found);
    EXPECT_THAT(found[0], StartsWith(std::string(c.place))) << c.yaml;
    EXPECT_THAT(found[0], HasSubstr(std::string(c.says))) << c.yaml;
  }
}

TEST(Errors, AContentTypeFitsAHead) {
  const std::string type(256, 'a');
  const auto text = [](std::string_view value) {
    return "limits: [{name: a, block: true, action: {body: x, content_type: " + std::string(value) + "}}]";
  };
  EXPECT_THAT(problems(load_below_upstream(text(std::string_view(type).substr(1)))), testing::IsEmpty());
  const auto found = problems(load_below_upstream(text(type)));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_THAT(found[0], testing::AllOf(StartsWith("2:65: "), HasSubstr("longer than 255 characters")));
}

const Case upstream_problem[] = {
    {"upstream: 127.0.0.1", "1:11: ", "has no port"},
    {"upstream: []", "1:11: ", "needs at least one server"},
    {"upstream: {retries: 1}", "1:11: ", "upstream needs servers"},
    {"upstream: {servers: x:1, balance: random}", "1:35: ", "write least_requests"},
    {"upstream: {servers: x:1, retries: 11}", "1:35: ", "from 0 to 10"},
    {"upstream: {servers: x:1, max_connections: 10, max_in_flight: 20}",
     "1:62: ", "cannot be had over max_connections"},
    {"upstream: {servers: x:1, buffer: {request: 2MiB, total: 1MiB, response: 1MiB}}",
     "1:57: ", "buffer.request is above"},
    {"upstream: {servers: x:1, tls: true}", "1:31: ", "tls must be off or a mapping"},
    {"upstream: {servers: x:1, tls: {server_name: \"a.example:443\"}}",
     "1:45: ", "a name such as app.internal"},
    {"upstream: {servers: x:1, health_check: conect}", "1:40: ", "did you mean connect?"},
    {"upstream: {servers: x:1, health_check: /up}", "1:40: ", "a path is said in a mapping: {path: /up}"},
    {"shadow: true", "1:1: ", "names no upstream"},
};

TEST(Errors, OfTheUpstream) {
  for (const Case& c : upstream_problem) {
    const auto found = problems(load_yaml(c.yaml));
    ASSERT_EQ(found.size(), 1U) << c.yaml << "\n" << testing::PrintToString(found);
    EXPECT_THAT(found[0], StartsWith(std::string(c.place))) << c.yaml;
    EXPECT_THAT(found[0], HasSubstr(std::string(c.says))) << c.yaml;
  }
}

TEST(Errors, OfSeveralSectionsAreToldInOneRun) {
  const Loaded loaded = load_below_upstream(
      "routes: [{match: {pahts: x}, upstream: {retries: 99}, client: {max_headers: 0}}]\n"
      "limits: [{name: a, rate: 5/s, on_status: [9xx]}]\n"
      "error_pages: {200: x}\n");
  EXPECT_THAT(problems(loaded),
              testing::IsSupersetOf({StartsWith("2:19: "), StartsWith("2:50: "), StartsWith("2:77: "),
                                     StartsWith("3:43: "), StartsWith("4:15: ")}));
}

TEST(Errors, OfRoutesNameWhatBelongsElsewhere) {
  const Case cases[] = {
      {"routes: [{client: {idle_timeout: 5s}}]", "2:20: ", "holds before a request is read"},
      {"routes: [{client: {max_headers: 5}}]", "2:20: ", "holds before a request is read"},
      {"routes: [{upstream: {max_in_flight: 5}}]", "2:22: ", "belongs to the servers"},
      {"routes: [{upstream: {health_check: {path: /up}}}]", "2:22: ", "belongs to the servers"},
      {"routes: [{upstream: {servers: a:1, buffer: {total: 64MiB}}}]", "2:45: ", "bounds the whole process"},
      {"routes: [{upstream: {servers: []}}]", "2:31: ", "at least one server"},
      {"routes: [{upstream: {servers: a:1, max_in_flight: 600}}]", "2:51: ", "max_connections"},
  };
  for (const Case& c : cases) {
    const auto found = problems(load_below_upstream(c.yaml));
    ASSERT_EQ(found.size(), 1U) << c.yaml << "\n" << testing::PrintToString(found);
    EXPECT_THAT(found[0], StartsWith(std::string(c.place))) << c.yaml;
    EXPECT_THAT(found[0], HasSubstr(std::string(c.says))) << c.yaml;
  }
  EXPECT_THAT(problems(load_yaml("routes: [{upstream: a:1, match: {paths: /x}}]")),
              testing::ElementsAre(HasSubstr("the last route must match everything")));
  EXPECT_THAT(problems(load_yaml("routes: [{match: {paths: /x}}, {upstream: a:1}]")),
              testing::ElementsAre(HasSubstr("a route needs an upstream with servers")));
}

TEST(Errors, AnErrorPageMustHoldSomething) {
  EXPECT_THAT(problems(load_below_upstream("error_pages: {502: \"\"}")),
              testing::ElementsAre(HasSubstr("it is empty")));
}

TEST(Errors, AllInOneRunAndInOrder) {
  const Loaded loaded = load_yaml(
      "workers: 010\n"
      "shadow: on\n"
      "limits:\n"
      "  - {name: A, rate: x, ban: {}}\n"
      "client: {max_headers: -1, idle_timeout: 1}\n"
      "bogus: 1\n");
  EXPECT_THAT(problems(loaded),
              testing::ElementsAre(StartsWith("1:1: the file names no upstream"), StartsWith("1:10: "),
                                   StartsWith("2:9: "), StartsWith("4:12: "), StartsWith("4:21: "),
                                   StartsWith("4:29: "), StartsWith("5:23: "), StartsWith("5:41: "),
                                   StartsWith("6:1: ")));
  EXPECT_FALSE(loaded.config);
  EXPECT_TRUE(loaded.draft);
}

}  // namespace
}  // namespace sekisho::config
