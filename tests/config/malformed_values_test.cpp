// Values that are none, at every key of the file: `check` names their place and reading never throws.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "main/check_command.hpp"
#include "proxy/configuration.hpp"
#include "tests/config/loading.hpp"

namespace sekisho {
namespace {

constexpr std::uint64_t descriptors = 100'000;

struct Checked {
  int status;
  std::string out;
};

Checked check(const std::string& yaml) {
  const config::Environment source("SEKISHO_T_MALFORMED", yaml);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int status = check_command("env:SEKISHO_T_MALFORMED", false);
  testing::internal::GetCapturedStderr();
  return {status, testing::internal::GetCapturedStdout()};
}

// What `run` and a reload do, where `check` does for itself; what the tables take is none of this.
std::string errors_of_run(const std::string& yaml) {
  const config::Environment source("SEKISHO_T_MALFORMED", yaml);
  proxy::ReadConfiguration read = proxy::read_configuration("env:SEKISHO_T_MALFORMED", descriptors);
  if (read.config == nullptr) return read.errors();
  policy::LimitStates states(ratelimit::Secret{}, 1);
  proxy::PreparedConfiguration prepared;
  proxy::prepare_configuration(read, states, 1, std::chrono::steady_clock::now(), prepared);
  return read.errors();
}

void expect_located(const std::string& text, const std::string& yaml) {
  static const std::regex located("env:SEKISHO_T_MALFORMED:[1-9][0-9]*:[1-9][0-9]*: .+");
  EXPECT_NE(text, "") << yaml.substr(0, 300);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    EXPECT_TRUE(std::regex_match(line, located)) << yaml.substr(0, 300) << "\n" << line.substr(0, 300);
}

void expect_refused_by_place(const std::string& yaml) {
  Checked run{};
  std::string problems;
  ASSERT_NO_THROW(run = check(yaml)) << yaml.substr(0, 300);
  EXPECT_EQ(run.status, 1) << yaml.substr(0, 300) << "\n" << run.out.substr(0, 300);
  expect_located(run.out, yaml);
  ASSERT_NO_THROW(problems = errors_of_run(yaml)) << yaml.substr(0, 300);
  expect_located(problems, yaml);
}

TEST(MalformedValues, CodesThatAreNone) {
  for (const char* code :
       {"600", "6xx", "999", "4", "\"\"", "abc", "-1", "099", "40", "4x", "4xX", "xxx", "4044", "xx"}) {
    for (const char* list : {"[@]", "{codes: [@]}", "[@, 404]", "{codes: [404, @], distinct: path}"}) {
      std::string codes = list;
      codes.replace(codes.find('@'), 1, code);
      const std::string yaml =
          "upstream: 127.0.0.1:3000\nlimits:\n- {name: a, rate: 5/s,\n   on_status: " + codes + "}\n";
      const Checked run = check(yaml);
      EXPECT_EQ(run.status, 1) << yaml;
      EXPECT_THAT(run.out, testing::MatchesRegex("env:SEKISHO_T_MALFORMED:4:[0-9]+: [^\n]*\n")) << yaml;
      EXPECT_EQ(run.out, errors_of_run(yaml) + "\n") << yaml;
    }
  }
}

std::string nested(std::string_view open, std::string_view close, int depth) {
  std::string text;
  for (int i = 0; i < depth; ++i) text += open;
  text += "x";
  for (int i = 0; i < depth; ++i) text += close;
  return text;
}

// No value of any key.
std::vector<std::string> never() {
  return {"",
          "~",
          "{nonsense: 1}",
          "[[x]]",
          "[{nonsense: 1}]",
          "[~]",
          nested("[", "]", 60),
          nested("{a: ", "}", 60)};
}

std::vector<std::string> with(std::vector<std::string> more) {
  for (std::string& value : never()) more.push_back(std::move(value));
  return more;
}

struct Keys {
  std::vector<std::string> templates;  // @ stands for the value; below an upstream
  std::vector<std::string> values;     // of which each is wrong at each key
};

std::vector<Keys> keys() {
  const std::string huge = "99999999999999999999999999999999";
  const auto of_limit = [](std::vector<std::string> keys) {
    for (std::string& key : keys) key = "limits: [{name: a, rate: 5/s, " + key + "}]";
    return keys;
  };
  const auto sections = [](std::vector<std::string> keys) {
    for (std::string& key : keys) {
      const std::size_t colon = key.find(": ");
      key = key.substr(0, colon + 2) + "{" + key.substr(colon + 2) + "}";
    }
    return keys;
  };
  const std::vector<std::string> no_number = with(
      {"[]", "[1]", "\"\"", "x", "-1", "1.5", "0x10", "1e3", "1_000", "010", huge, "\" 1\"", "\"1\\0\""});
  const std::vector<std::string> no_duration =
      with({"[]", "[1s]", "\"\"", "x", "-1s", "1", "s", "1 s", ".s", "1.s", "1w", huge + "s", "9e9s",
            "36500d", "1.0000000001s"});
  const std::vector<std::string> no_flag = with({"[]", "[true]", "\"\"", "yes", "1", "True", huge});
  const std::vector<std::string> no_word = with({"[]", "[x]", "\"\"", "x", "-1", huge});
  const std::vector<std::string> no_text = with({"[]", "\"\""});
  const std::vector<std::string> no_list = with({"\"\""});
  const std::vector<std::string> no_map = with({"x", "[x]", "-1", "\"\"", huge});
  return {
      {of_limit({"burst: @", "capacity: @", "in_flight: @", "ban: {for: 1h, after: @}"}), no_number},
      {of_limit({"delay: @", "ban: @", "ban: {for: @}", "ban: {for: 1h, within: @}",
                 "ban: {for: 1s, up_to: @}", "action: {tarpit: @}"}),
       no_duration},
      {of_limit({"block: @", "shadow: @"}), no_flag},
      {of_limit({"per: @", "ratelimit_headers: @", "ban: {for: 1h, scope: @}",
                 "on_status: {codes: [404], distinct: @}", "action: @", "action: {status: @}", "key: @",
                 "key: [client_ip, @]", "on_status: {codes: @, distinct: path}", "on_status: [404, @]"}),
       no_word},
      {of_limit({"match: {paths: @}", "match: {methods: @}", "match: {hosts: @}", "match: {networks: @}",
                 "match: {paths: [/, @]}", "match: {methods: [GET, @]}", "match: {hosts: [a.example, @]}",
                 "match: {networks: [10.0.0.0/8, @]}", "match: {except: @}", "match: {except: [@]}"}),
       no_list},
      {of_limit({"match: {headers: {A: @}}", "match: {headers: {A: [x, @]}}", "action: {body: @}"}), never()},
      {of_limit({"match: @"}), no_map},
      {of_limit({"match: {headers: @}"}), {"", "~", "x", "[x]", "-1", "\"\"", "{A: ~}", "{\"\": x}", huge}},
      {of_limit({"action: {body: x, content_type: @}"}), no_text},
      {{"limits: [{name: a, rate: @}]", "limits: [{name: a, in_flight: 1, rate: @}]"},
       with({"[]", "[5/s]", "\"\"", "x", "5", "/s", "5/", "-1/s", "5/-1s", "0/s", "5/0s", "5/1/s",
             huge + "/s", "5/" + huge + "s", "18446744073709551615/ms", "1/36500d"})},
      {{"limits: [{rate: 5/s, name: @}]"}, with({"[]", "\"\"", "A", "-", "é", "\"a b\"", "\"a\\0\""})},
      {{"limits: @", "limits: [@]", "routes: @", "routes: [@]"}, with({"x", "\"\"", huge})},
      {{"exempt: @", "exempt: [@]"}, with({"x", "\"\"", "{}", huge})},
      {{"table: @", "fleet: @", "client: @", "log: @", "shutdown: @", "balancer_probe: @", "client_ip: @",
        "error_pages: @", "log: {sample: @}", "client_ip: {prefix: @}", "client_ip: {network: @}"},
       no_map},
      {sections({"table: capacity: @", "fleet: tasks: @", "client: min_body_rate: @",
                 "client: max_headers: @", "client: max_connections: @", "client: max_header_bytes: @",
                 "client: max_body_bytes: @", "log: sample: {limited: @}", "client_ip: prefix: {ipv4: @}",
                 "client_ip: network: {ipv6: @}"}),
       with({"[]", "[1]", "\"\"", "x", "-1", "0x10", "1e3", huge})},
      {sections({"client: idle_timeout: @", "client: header_timeout: @", "client: body_timeout: @",
                 "client: send_timeout: @", "shutdown: grace: @", "shutdown: drain: @"}),
       no_duration},
      {sections({"balancer_probe: require_upstream: @", "log: query: @"}), no_flag},
      {{"shadow: @"}, no_flag},
      {sections({"log: level: @", "hosts: ip_literals: @", "hosts: action: @"}), no_word},
      {sections({"balancer_probe: path: @", "client_ip: header: @", "log: access: @", "admin: listen: @",
                 "admin: token: @"}),
       no_text},
      {sections({"client_ip: trusted_proxies: @", "client_ip: trusted_proxies: [loopback, @]",
                 "log: headers: @", "hosts: allow: @", "hosts: allow: [a.example, @]"}),
       no_list},
      {{"workers: @", "listen: @", "listen: [@]", "listen: {address: @}", "admin: @", "metrics: @",
        "listen: {address: 127.0.0.1:1, tls: @}", "listen: {address: 127.0.0.1:1, proxy_protocol: @}",
        "listen: [{address: 127.0.0.1:1, tls: {certificate: @, private_key: k}}]",
        "client_ip: {trusted_proxies: [{aws_ip_ranges: @}]}"},
       with({"\"\"", "-1", huge})},
      {{"hosts: @"}, no_list},
      {{"error_pages: {@: x}"}, {"x", "-1", "200", "600", "\"\"", "~", "[]", huge}},
      {{"error_pages: {502: @}"}, no_text},
      {{"routes: [{upstream: @}]", "routes: [{client: @}]", "routes: [{match: @}]"},
       with({"\"\"", "-1", huge})},
  };
}

std::vector<Keys> keys_of_upstreams() {
  const std::vector<std::string> no_number =
      with({"[]", "[1]", "\"\"", "x", "-1", "1.5", "1e3", "99999999999999999999999999999999"});
  const std::vector<std::string> no_duration = with({"[]", "\"\"", "x", "-1s", "1", "36500d"});
  const auto of_upstream = [](std::vector<std::string> keys) {
    for (std::string& key : keys) key = "upstream: {servers: [127.0.0.1:3000], " + key + "}";
    return keys;
  };
  return {
      {of_upstream({"max_connections: @", "max_in_flight: @", "retries: @", "queue: {size: @}",
                    "health_check: {path: /, unhealthy_after: @}",
                    "health_check: {path: /, healthy_after: @}", "buffer: {request: @}",
                    "buffer: {response: @}", "buffer: {total: @}"}),
       no_number},
      {of_upstream({"connect_timeout: @", "response_timeout: @", "tunnel_timeout: @", "idle_timeout: @",
                    "queue: {timeout: @}", "health_check: {path: /, interval: @}",
                    "health_check: {path: /, timeout: @}"}),
       no_duration},
      {of_upstream({"balance: @", "queue: @", "health_check: @", "buffer: @", "tls: @"}),
       with({"x", "\"\"", "-1"})},
      {of_upstream({"tls: {verify: @}", "tls: {ca: @}", "tls: {server_name: @}"}), with({"\"\""})},
      {{"upstream: @", "upstream: {servers: @}", "upstream: {servers: [127.0.0.1:1, @]}"},
       with({"[]", "x", "\"\"", "\":1\"", "a:0", "a:65536", "a:-1", "unix:x", "1.2.3.4.5:1", "\"[::1\""})},
      {{"@", "- @"}, with({"x", "\"\"", "[]", "{}"})},
  };
}

void expect_each_refused(const std::vector<Keys>& all, const std::string& above) {
  for (const Keys& keys : all) {
    for (const std::string& key : keys.templates) {
      for (const std::string& value : keys.values) {
        // Nothing behind a list's last comma is no entry.
        if (value.empty() && (key.find(", @]") != std::string::npos || key.find("[@]") != std::string::npos))
          continue;
        std::string yaml = above + key + "\n";
        yaml.replace(yaml.find('@'), 1, value);
        expect_refused_by_place(yaml);
      }
    }
  }
}

TEST(MalformedValues, OfEveryKeyBelowAnUpstream) {
  expect_each_refused(keys(), "upstream: 127.0.0.1:3000\n");
}

TEST(MalformedValues, OfUpstreamsAndOfTheWholeFile) {
  expect_each_refused(keys_of_upstreams(), "");
}

}  // namespace
}  // namespace sekisho
