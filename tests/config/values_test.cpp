// What a good file means.
#include <gtest/gtest.h>

#include "config/quotas.hpp"
#include "proxy/policy/outcome.hpp"
#include "tests/config/loading.hpp"

namespace sekisho::config {
namespace {

using namespace std::chrono_literals;

std::shared_ptr<const Config> good(const Loaded& loaded) {
  EXPECT_TRUE(loaded.config) << testing::PrintToString(problems(loaded));
  return loaded.config ? loaded.config : std::make_shared<const Config>();
}

std::shared_ptr<const Config> good_yaml(std::string_view yaml) {
  return good(load_yaml(yaml));
}

std::vector<std::string> values(const Texts& texts) {
  std::vector<std::string> result;
  for (const Text& text : texts) result.push_back(text.value);
  return result;
}

using Strings = std::vector<std::string>;

TEST(Values, AnUpstreamInItsThreeShapes) {
  for (const std::string_view yaml : {"upstream: app:3000", "upstream: [app:3000]",
                                      "upstream: {servers: app:3000}", "upstream: {servers: [app:3000]}"}) {
    const auto config = good(load_yaml(yaml));
    ASSERT_TRUE(config->upstream) << yaml;
    ASSERT_EQ(config->upstream->servers.size(), 1U) << yaml;
    EXPECT_EQ(config->upstream->servers[0].host, "app") << yaml;
  }
}

TEST(Values, Upstream) {
  const auto config =
      good(load_yaml("upstream:\n  servers: unix:/run/puma.sock\n  connect_timeout: 3s\n  response_timeout: "
                     "61s\n  tunnel_timeout: 2h\n  idle_timeout: 14s\n"
                     "  max_connections: 100\n  max_in_flight: 10\n  queue: {size: 5, timeout: 1500ms}\n  "
                     "retries: 0\n  health_check: connect\n"
                     "  tls: off\n  buffer: {request: 1KiB, response: 1MiB, total: 2MiB}\n"));
  const Upstream& upstream = *config->upstream;
  EXPECT_EQ(upstream.servers[0].kind, Endpoint::Kind::unix_path);
  EXPECT_EQ(upstream.connect_timeout, 3s);
  EXPECT_EQ(upstream.response_timeout, 61s);
  EXPECT_EQ(upstream.tunnel_timeout, 2h);
  EXPECT_EQ(upstream.idle_timeout, 14s);
  EXPECT_EQ(upstream.idle_timeout_mark.line, 6U);
  EXPECT_EQ(upstream.max_connections, 100U);
  EXPECT_EQ(upstream.max_in_flight, 10U);
  EXPECT_EQ(upstream.queue.size, 5U);
  EXPECT_EQ(upstream.queue.timeout, 1500ms);
  EXPECT_EQ(upstream.retries, 0U);
  EXPECT_TRUE(upstream.health_check.connect);
  EXPECT_EQ(upstream.buffer.request, KiB);
  EXPECT_EQ(upstream.buffer.response, MiB);
  EXPECT_EQ(upstream.buffer.total, 2 * MiB);
}

TEST(Values, TheWholeLimit) {
  const auto config = good(load_below_upstream(
      "limits:\n  - name: login\n    match:\n      paths: [/users/sign_in, \"/admin/**\", \"~^/wp-[a-z]+\", "
      "builtin:probes]\n      methods: POST\n"
      "      hosts: [\"*.example.jp\"]\n      headers: {User-Agent: [\"\", \"~(?i)sqlmap|nikto\"], "
      "X-Country: AA}\n      networks: [198.51.100.0/24]\n"
      "      except: {paths: [/admin/ping]}\n    key: [client_ip, \"header:X-Key\"]\n    rate: 30/min\n    "
      "burst: 40\n    action: {status: 503, body: \"no\\n\", content_type: text/x}\n"
      "    ban: {after: 20, within: 2min, for: 10min, up_to: 24h, scope: match}\n    shadow: true\n    "
      "ratelimit_headers: always\n    capacity: 1000\n    per: task\n"));
  ASSERT_EQ(config->limits.size(), 1U);
  const Limit& limit = config->limits[0];
  EXPECT_EQ(limit.name.value, "login");
  EXPECT_EQ(limit.name.mark.line, 3U);
  EXPECT_EQ(values(*limit.match.paths),
            (Strings{"/users/sign_in", "/admin/**", "~^/wp-[a-z]+", "builtin:probes"}));
  EXPECT_EQ(limit.match.paths->at(1).mark.line, 5U);
  EXPECT_EQ(limit.match.paths->at(1).mark.column, 31U);
  EXPECT_EQ(values(*limit.match.methods), Strings{"POST"});
  EXPECT_EQ(values(*limit.match.hosts), Strings{"*.example.jp"});
  EXPECT_EQ(values(*limit.match.networks), Strings{"198.51.100.0/24"});
  ASSERT_EQ(limit.match.headers.size(), 2U);
  EXPECT_EQ(limit.match.headers[0].name.value, "User-Agent");
  EXPECT_EQ(values(limit.match.headers[0].values), (Strings{"", "~(?i)sqlmap|nikto"}));
  ASSERT_EQ(limit.match.except.size(), 1U);
  EXPECT_EQ(values(*limit.match.except[0].paths), Strings{"/admin/ping"});
  EXPECT_EQ(values(limit.key), (Strings{"client_ip", "header:X-Key"}));
  EXPECT_EQ(limit.rate->value.count, 30U);
  EXPECT_EQ(limit.rate->value.period, 1min);
  EXPECT_EQ(limit.burst->value, 40U);
  EXPECT_EQ(limit.action->status, 503U);
  EXPECT_EQ(limit.action->body, "no\n");
  EXPECT_EQ(limit.action->content_type, "text/x");
  EXPECT_EQ(limit.ban->after, 20U);
  EXPECT_EQ(limit.ban->within, 2min);
  EXPECT_EQ(limit.ban->length, 10min);
  EXPECT_EQ(limit.ban->up_to, 24h);
  EXPECT_TRUE(limit.ban->scope_match);
  EXPECT_TRUE(limit.shadow);
  EXPECT_EQ(limit.ratelimit_headers, RateLimitHeaders::always);
  EXPECT_EQ(limit.capacity->value, 1000U);
  EXPECT_TRUE(limit.per_task);
}

TEST(Values, ABlockWithOnlyABodyKeepsItsStatus) {
  const auto config =
      good(load_below_upstream("limits: [{name: a, block: true, action: {body: no}}, {name: b, rate: 5/s, "
                               "action: {body: no}}, {name: c, block: true, action: close}]"));
  EXPECT_EQ(config->limits[0].action->status, 403U);
  EXPECT_EQ(config->limits[1].action->status, 429U);
  EXPECT_EQ(config->limits[2].action->kind, Action::Kind::close);
}

TEST(Values, ABanAlone) {
  const auto config = good(load_below_upstream("limits: [{name: a, block: true, ban: 10min}]"));
  const Ban& ban = *config->limits[0].ban;
  EXPECT_EQ(ban.length, 10min);
  EXPECT_EQ(ban.after, 1U);
  EXPECT_EQ(ban.within, 1min);
  EXPECT_FALSE(ban.scope_match);
  EXPECT_FALSE(ban.up_to);
}

TEST(Values, Listeners) {
  const auto config = good(load_below_upstream(
      "listen: [unix:/run/http.sock, {address: \"[::1]:8081\", proxy_protocol: true}]\n"));
  ASSERT_EQ(config->listen.size(), 2U);
  EXPECT_EQ(config->listen[0].address.kind, Endpoint::Kind::unix_path);
  EXPECT_EQ(config->listen[0].address.host, "/run/http.sock");
  EXPECT_FALSE(config->listen[0].proxy_protocol);
  EXPECT_EQ(config->listen[1].address.host, "::1");
  EXPECT_TRUE(config->listen[1].proxy_protocol);
}

TEST(Values, TheRest) {
  const auto config = good(load_below_upstream(
      "listen: [\"[::]:8443\", {address: \"0.0.0.0:0\", tls: off, proxy_protocol: false}]\nworkers: "
      "3\nshadow: true\n"
      "client_ip: {trusted_proxies: [10.0.0.0/8, {aws_ip_ranges: /x.json, service: EC2}], header: "
      "CloudFront-Viewer-Address, prefix: {ipv6: 56}}\n"
      "hosts: {allow: a.example, ip_literals: allow, action: 404}\nbalancer_probe: {path: /ping, "
      "require_upstream: false}\n"
      "exempt: [{networks: 203.0.113.0/28}, {paths: [/up]}]\nfleet: {tasks: 4}\ntable: {capacity: 99}\n"
      "client: {idle_timeout: 80s, max_body_bytes: 0, min_body_rate: 0}\nadmin: {listen: "
      "\"unix:/run/a.sock\", token: t}\nmetrics: 0.0.0.0:9100\n"
      "log: {access: /var/log/a.log, query: false, headers: [X-A], sample: {limited: 0.5}, level: "
      "debug}\nshutdown: {grace: 0s, drain: 10s}\n"));
  EXPECT_EQ(config->listen.size(), 2U);
  EXPECT_EQ(config->workers, 3U);
  EXPECT_TRUE(config->shadow);
  EXPECT_EQ(values(config->client_ip.trusted_proxies), Strings{"10.0.0.0/8"});
  ASSERT_EQ(config->client_ip.aws_ip_ranges.size(), 1U);
  EXPECT_EQ(config->client_ip.aws_ip_ranges[0].path.value, "/x.json");
  EXPECT_EQ(config->client_ip.aws_ip_ranges[0].service, "EC2");
  EXPECT_EQ(config->client_ip.header.value, "CloudFront-Viewer-Address");
  EXPECT_EQ(config->client_ip.prefix_ipv6, 56U);
  EXPECT_FALSE(config->hosts.reject_ip_literals);
  EXPECT_EQ(config->hosts.action.status, 404U);
  EXPECT_EQ(config->balancer_probe.path.value, "/ping");
  EXPECT_FALSE(config->balancer_probe.require_upstream);
  EXPECT_EQ(config->exempt.size(), 2U);
  EXPECT_EQ(config->fleet.tasks, 4U);
  EXPECT_EQ(config->table_capacity.value, 99U);
  EXPECT_EQ(config->client.max_body_bytes, 0U);
  EXPECT_EQ(config->admin.listen->host, "/run/a.sock");
  EXPECT_EQ(config->admin.token, "t");
  EXPECT_EQ(config->metrics->port, 9100);
  EXPECT_EQ(config->log.access, "/var/log/a.log");
  EXPECT_FALSE(config->log.query);
  EXPECT_EQ(config->log.sample.at("limited"), 0.5);
  EXPECT_EQ(config->log.level, "debug");
  EXPECT_EQ(config->shutdown.grace, 0s);
}

TEST(Values, OffIsAWord) {
  const auto config = good(load_below_upstream("admin: off\nmetrics: off\nlog: {access: off}"));
  EXPECT_FALSE(config->admin.listen);
  EXPECT_FALSE(config->metrics);
  EXPECT_EQ(config->log.access, "off");
}

TEST(Values, EveryOutcomeCanBeSampled) {
  for (std::size_t i = 0; i < policy::outcome_count; ++i) {
    const std::string name(policy::to_string(static_cast<policy::Outcome>(i)));
    EXPECT_TRUE(load_below_upstream("log: {sample: {" + name + ": 0.5}}").config) << name;
  }
}

TEST(Values, TheFleetSharesARate) {
  const auto config =
      good(load_below_upstream("fleet: {tasks: 4}\nlimits: [{name: a, rate: 10/s, burst: 40}, {name: b, "
                               "rate: 3/min}, {name: c, rate: 10/s, per: task}, {name: d, rate: 10/s}]"));
  const auto quota = [&](std::size_t i) { return quota_on_one_task(config->limits[i], config->fleet); };
  EXPECT_EQ(quota(0), (ratelimit::Quota{10, 4s, 10}));
  EXPECT_EQ(quota(1), (ratelimit::Quota{3, 4min, 3}));
  EXPECT_EQ(quota(2), (ratelimit::Quota{10, 1s, 10}));
  EXPECT_EQ(quota(3), (ratelimit::Quota{10, 4s, 5}));
}

TEST(Values, AFleetMayBeNamed) {
  const auto config = good(load_below_upstream("fleet: {tasks: dns:app.shop.internal}"));
  EXPECT_EQ(config->fleet.dns_name, "app.shop.internal");
  EXPECT_EQ(config->fleet.tasks, 1U) << "until it is counted";
}

TEST(Values, ARouteSaysWhatDiffersFromTheTop) {
  const auto config = good_yaml(
      "upstream: {servers: [a:1, b:1], max_in_flight: 9, response_timeout: 7s, buffer: {total: 64MiB}}\n"
      "client: {max_body_bytes: 1MiB, body_timeout: 3s}\n"
      "routes:\n"
      "- {match: {paths: /imports/**}, client: {max_body_bytes: 2GiB}, upstream: {response_timeout: 5min}}\n"
      "- {match: {hosts: a.example.jp}, upstream: c:1}\n");
  ASSERT_EQ(config->routes.size(), 2U);
  const Route& imports = config->routes[0];
  EXPECT_FALSE(imports.own_servers);
  EXPECT_EQ(imports.upstream.servers.size(), 2U);
  EXPECT_EQ(imports.upstream.response_timeout, 5min);
  EXPECT_EQ(imports.client.max_body_bytes, 2 * GiB);
  EXPECT_EQ(imports.client.body_timeout, 3s);
  const Route& feature = config->routes[1];
  EXPECT_TRUE(feature.own_servers);
  ASSERT_EQ(feature.upstream.servers.size(), 1U);
  EXPECT_EQ(feature.upstream.servers[0].text, "c:1");
  EXPECT_EQ(feature.upstream.max_in_flight, 9U);
  EXPECT_EQ(feature.upstream.response_timeout, 7s);
  EXPECT_EQ(feature.client.max_body_bytes, 1 * MiB);
  EXPECT_EQ(config->buffer_total(), 64 * MiB);
}

TEST(Values, WithoutATopLevelUpstreamTheLastRouteBoundsTheBuffers) {
  const auto config = good_yaml(
      "routes:\n"
      "- {match: {hosts: a.example.jp}, upstream: c:1}\n"
      "- {upstream: {servers: d:1, buffer: {total: 256MiB}}}\n");
  EXPECT_EQ(config->buffer_total(), 256 * MiB);
}

TEST(Values, AnErrorPageIsOfTheTypeThatItLooksLike) {
  const auto config = good_yaml("upstream: a:1\nerror_pages: {502: <h1>Sorry</h1>, 503: back soon}\n");
  ASSERT_EQ(config->error_pages.size(), 2U);
  EXPECT_EQ(config->error_pages[0].content_type, "text/html; charset=utf-8");
  EXPECT_EQ(config->error_pages[1].content_type, "text/plain; charset=utf-8");
}

}  // namespace
}  // namespace sekisho::config
