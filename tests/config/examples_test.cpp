// The files in config/examples load, and full.yaml shows the defaults that config.hpp has.
#include <gtest/gtest.h>

#include "tests/config/loading.hpp"

namespace sekisho::config {
namespace {

std::string example(const std::string& name) {
  return SEKISHO_SOURCE_DIR "/config/examples/" + name;
}

std::vector<std::string> values(const Texts& texts) {
  std::vector<std::string> result;
  for (const Text& text : texts) result.push_back(text.value);
  return result;
}

TEST(Examples, Load) {
  for (const char* name : {"quickstart.yaml", "full.yaml", "cloudfront-alb-ecs.yaml"}) {
    const Loaded loaded = load(example(name));
    EXPECT_TRUE(loaded.config) << name << testing::PrintToString(problems(loaded));
  }
}

TEST(Examples, QuickstartTakesTheUpstreamFromTheEnvironment) {
  const Environment upstream("UPSTREAM", "127.0.0.1:4567");
  const Loaded loaded = load(example("quickstart.yaml"));
  ASSERT_TRUE(loaded.config);
  EXPECT_EQ(loaded.config->upstream->servers.at(0).port, 4567);
  EXPECT_EQ(loaded.config->listen.at(0).address.text, "0.0.0.0:8080");
  EXPECT_EQ(values(loaded.config->hosts.allow).at(0), "localhost");
}

TEST(Examples, FullShowsTheDefaults) {
  const Loaded loaded = load(example("full.yaml"));
  ASSERT_TRUE(loaded.config);
  const Config& file = *loaded.config;
  const Config standard;

  ASSERT_EQ(file.listen.size(), standard.listen.size());
  EXPECT_EQ(file.listen[0].address.text, standard.listen[0].address.text);
  EXPECT_EQ(file.workers, standard.workers);
  EXPECT_EQ(file.shadow, standard.shadow);

  const Upstream& up = *file.upstream;
  const Upstream up_standard;
  EXPECT_EQ(up.balance, up_standard.balance);
  EXPECT_EQ(up.tls.enabled, up_standard.tls.enabled);
  EXPECT_EQ(up.connect_timeout, up_standard.connect_timeout);
  EXPECT_EQ(up.response_timeout, up_standard.response_timeout);
  EXPECT_EQ(up.tunnel_timeout, up_standard.tunnel_timeout);
  EXPECT_EQ(up.idle_timeout, up_standard.idle_timeout);
  EXPECT_EQ(up.max_connections, up_standard.max_connections);
  EXPECT_EQ(up.max_in_flight, up_standard.max_in_flight);
  EXPECT_EQ(up.queue.size, up_standard.queue.size);
  EXPECT_EQ(up.queue.timeout, up_standard.queue.timeout);
  EXPECT_EQ(up.retries, up_standard.retries);
  EXPECT_EQ(up.health_check.connect, up_standard.health_check.connect);
  EXPECT_EQ(up.buffer.request, up_standard.buffer.request);
  EXPECT_EQ(up.buffer.response, up_standard.buffer.response);
  EXPECT_EQ(up.buffer.total, up_standard.buffer.total);

  EXPECT_TRUE(file.routes.empty());
  EXPECT_EQ(values(file.client_ip.trusted_proxies), values(standard.client_ip.trusted_proxies));
  EXPECT_EQ(file.client_ip.header.value, standard.client_ip.header.value);
  EXPECT_EQ(file.client_ip.prefix_ipv4, standard.client_ip.prefix_ipv4);
  EXPECT_EQ(file.client_ip.prefix_ipv6, standard.client_ip.prefix_ipv6);
  EXPECT_EQ(file.client_ip.network_ipv4, standard.client_ip.network_ipv4);
  EXPECT_EQ(file.client_ip.network_ipv6, standard.client_ip.network_ipv6);
  EXPECT_TRUE(file.hosts.allow.empty());
  EXPECT_EQ(file.hosts.reject_ip_literals, standard.hosts.reject_ip_literals);
  EXPECT_EQ(file.hosts.action.status, standard.hosts.action.status);
  EXPECT_EQ(file.balancer_probe.path.value, standard.balancer_probe.path.value);
  EXPECT_EQ(file.balancer_probe.require_upstream, standard.balancer_probe.require_upstream);
  EXPECT_TRUE(file.exempt.empty());
  EXPECT_EQ(file.fleet.tasks, standard.fleet.tasks);
  EXPECT_EQ(file.table_capacity.value, standard.table_capacity.value);

  EXPECT_EQ(file.client.idle_timeout, standard.client.idle_timeout);
  EXPECT_EQ(file.client.header_timeout, standard.client.header_timeout);
  EXPECT_EQ(file.client.body_timeout, standard.client.body_timeout);
  EXPECT_EQ(file.client.min_body_rate, standard.client.min_body_rate);
  EXPECT_EQ(file.client.send_timeout, standard.client.send_timeout);
  EXPECT_EQ(file.client.max_header_bytes, standard.client.max_header_bytes);
  EXPECT_EQ(file.client.max_headers, standard.client.max_headers);
  EXPECT_EQ(file.client.max_body_bytes, standard.client.max_body_bytes);
  EXPECT_EQ(file.client.max_connections, standard.client.max_connections);

  EXPECT_TRUE(file.error_pages.empty());
  EXPECT_EQ(file.admin.listen->text, standard.admin.listen->text);
  EXPECT_EQ(file.metrics.has_value(), standard.metrics.has_value());
  EXPECT_EQ(file.log.access, standard.log.access);
  EXPECT_EQ(file.log.query, standard.log.query);
  EXPECT_TRUE(file.log.headers.empty());
  EXPECT_TRUE(file.log.sample.empty());
  EXPECT_EQ(file.log.level, standard.log.level);
  EXPECT_EQ(file.shutdown.grace, standard.shutdown.grace);
  EXPECT_EQ(file.shutdown.drain, standard.shutdown.drain);

  ASSERT_EQ(file.limits.size(), 1U);
  const Limit& limit = file.limits[0];
  const Limit limit_standard;
  EXPECT_EQ(values(limit.key), values(limit_standard.key));
  EXPECT_EQ(limit.burst->value, limit.rate->value.count);
  EXPECT_EQ(limit.delay, limit_standard.delay);
  EXPECT_EQ(limit.block, limit_standard.block);
  EXPECT_EQ(limit.in_flight, limit_standard.in_flight);
  EXPECT_TRUE(limit.on_status.codes.empty());
  EXPECT_EQ(limit.action->status, 429U);
  EXPECT_EQ(limit.ban->after, Ban{}.after);
  EXPECT_EQ(limit.ban->within, Ban{}.within);
  EXPECT_EQ(limit.ban->up_to, Ban{}.up_to);
  EXPECT_EQ(limit.ban->scope_match, Ban{}.scope_match);
  EXPECT_EQ(limit.shadow, limit_standard.shadow);
  EXPECT_EQ(limit.ratelimit_headers, limit_standard.ratelimit_headers);
  EXPECT_EQ(limit.capacity->value, standard.table_capacity.value);
  EXPECT_EQ(limit.per_task, limit_standard.per_task);
}

}  // namespace
}  // namespace sekisho::config
