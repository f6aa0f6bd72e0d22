#include "proxy/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <sstream>

namespace sekisho::proxy {
namespace {

using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

class MetricsPage : public testing::Test {
 protected:
  MetricsPage() {
    sources_.workers = {&workers_[0], &workers_[1]};
    upstream_->servers = {server_};
    upstream_->in_flight = std::make_shared<Permits>(0);
    upstreams_.routes = {upstream_};
    sources_.upstreams = &upstreams_;
    sources_.version = "1.2.3";
    sources_.revision = "abc";
    sources_.now = ratelimit::Instant(1h);
  }

  std::string page() {
    return serialize_metrics(Metrics([this] { return sources_; }));
  }

  Counters workers_[2];
  std::shared_ptr<UpstreamServer> server_ = std::make_shared<UpstreamServer>("app.internal:3000", 512, 1);
  std::shared_ptr<Upstream> upstream_ = std::make_shared<Upstream>();
  Upstreams upstreams_;
  MetricsSources sources_;
};

TEST_F(MetricsPage, SumsTheWorkers) {
  workers_[0].requests[0].add(3);
  workers_[1].requests[0].add(4);
  workers_[1].responses_upstream[200].add(7);
  workers_[0].responses_sekisho[429].add();
  workers_[0].client_active.add(5);
  workers_[0].client_active.subtract(2);
  const std::string text = page();
  EXPECT_THAT(
      text,
      HasSubstr("# TYPE sekisho_requests_total counter\nsekisho_requests_total{outcome=\"proxied\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("sekisho_requests_total{outcome=\"internal_error\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("sekisho_responses_total{code=\"200\",source=\"upstream\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("sekisho_responses_total{code=\"429\",source=\"sekisho\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("code=\"404\"")));
  EXPECT_THAT(text, HasSubstr("sekisho_client_connections{state=\"active\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("sekisho_build_info{version=\"1.2.3\",revision=\"abc\"} 1\n"));
}

TEST_F(MetricsPage, HistogramsAreCumulative) {
  workers_[0].upstream_duration.observe_ns(400'000);
  workers_[1].upstream_duration.observe_ns(500'000);
  workers_[1].upstream_duration.observe_ns(3'000'000);
  workers_[1].upstream_duration.observe_ns(90'000'000'000);
  const std::string text = page();
  EXPECT_THAT(text, HasSubstr("sekisho_upstream_duration_seconds_bucket{le=\"0.0005\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("sekisho_upstream_duration_seconds_bucket{le=\"0.005\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("sekisho_upstream_duration_seconds_bucket{le=\"60\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("sekisho_upstream_duration_seconds_bucket{le=\"+Inf\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("sekisho_upstream_duration_seconds_count 4\n"));
}

TEST_F(MetricsPage, TunnelsHaveNoDuration) {
  workers_[0].request_duration[static_cast<std::size_t>(policy::Outcome::tunnel)].observe_ns(1);
  workers_[0].request_duration[static_cast<std::size_t>(policy::Outcome::proxied)].observe_ns(1);
  EXPECT_THAT(page(), HasSubstr("sekisho_request_duration_seconds_count{outcome=\"proxied\"} 1\n"));
  EXPECT_THAT(page(), Not(HasSubstr("sekisho_request_duration_seconds_count{outcome=\"tunnel\"}")));
}

TEST_F(MetricsPage, TheUpstreamBearsItsServersName) {
  server_->count_error(UpstreamErrorReason::connect);
  server_->count_error(UpstreamErrorReason::connect);
  workers_[0].upstream_in_flight.add(6);
  EXPECT_THAT(page(), HasSubstr("sekisho_upstream_healthy{server=\"app.internal:3000\"} 0\n"))
      << "never reached";
  server_->note_reachable();
  EXPECT_THAT(page(), HasSubstr("sekisho_upstream_healthy{server=\"app.internal:3000\"} 1\n"));
  EXPECT_THAT(
      page(),
      HasSubstr("sekisho_upstream_errors_total{server=\"app.internal:3000\",reason=\"connect\"} 2\n"));
  EXPECT_THAT(page(), HasSubstr("sekisho_upstream_in_flight 6\n"));
}

TEST_F(MetricsPage, LimitsWithTheirTablesAndBans) {
  config::Config config;
  config.limits.resize(2);
  config.limits[0].name.value = "login";
  config.limits[0].rate = config::Located<config::Rate>{{5, 1min}, {}};
  config.limits[0].key = {{"client_ip", {}}};
  config.limits[0].ban = config::Ban{};
  config.limits[0].ban->length = 10min;
  config.limits[1].name.value = "probes";
  config.limits[1].block = true;
  policy::LimitStates states({1, 2}, 2);
  config::Diagnostics diagnostics;
  policy::LimitSet set = states.prepare(config, sources_.now, diagnostics);
  ASSERT_FALSE(diagnostics.has_errors());
  states.commit(config, std::move(set), sources_.now);
  const policy::LimitSet& limits = states.current();
  limits.limits[1]->counts[0].decisions[static_cast<std::size_t>(policy::LimitDecision::blocked)] = 4;
  limits.limits[1]->counts[1].decisions[static_cast<std::size_t>(policy::LimitDecision::blocked)] = 5;
  limits.limits[1]->counts[0].refused.add({1, 2}, sources_.now);
  limits.limits[1]->counts[1].refused.add({1, 2}, sources_.now);
  limits.limits[1]->counts[1].refused.add({1, 1 << 20}, sources_.now);
  const auto key = policy::KeyRecipe::parse(config.limits[0].key, policy::client_prefixes(config), nullptr);
  limits.bans->ban({1, 2}, "login", "203.0.113.7", {10min, std::nullopt, key->ban_recipe().salt()},
                   sources_.now);
  sources_.limits = &limits;
  sources_.config = &config;
  const std::string text = page();
  EXPECT_THAT(text, HasSubstr("sekisho_limit_decisions_total{limit=\"probes\",decision=\"blocked\"} 9\n"));
  EXPECT_THAT(text, HasSubstr("sekisho_limit_decisions_total{limit=\"login\",decision=\"allowed\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("sekisho_refused_clients{limit=\"login\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("sekisho_refused_clients{limit=\"probes\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("sekisho_table_capacity{limit=\"login\"} "));
  EXPECT_THAT(text, Not(HasSubstr("sekisho_table_capacity{limit=\"probes\"}")));
  EXPECT_THAT(text, HasSubstr("sekisho_bans_active{limit=\"login\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("sekisho_bans_unlisted 0\n"));
  EXPECT_THAT(text, HasSubstr("sekisho_ban_evictions_total 0\n"));
  EXPECT_THAT(text, HasSubstr("sekisho_ban_events_dropped_total 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("203.0.113.7")));
  sources_.now += 5min + 10s;
  EXPECT_THAT(page(), HasSubstr("sekisho_refused_clients{limit=\"probes\"} 0\n"));
}

TEST_F(MetricsPage, TheProcess) {
  for (const char* name : {"cpu_seconds_total", "open_fds", "max_fds", "resident_memory_bytes",
                           "virtual_memory_bytes", "start_time_seconds"}) {
    EXPECT_THAT(page(), HasSubstr(std::string("\nprocess_") + name + " ")) << name;
  }
}

// docs/metrics.md names every family, and no other.
TEST_F(MetricsPage, IsDocumented) {
  policy::LimitSet none;
  sources_.limits = &none;
  std::ifstream file(SEKISHO_SOURCE_DIR "/docs/metrics.md");
  std::stringstream docs;
  docs << file.rdbuf();
  std::size_t rows = 0;
  for (std::string line; std::getline(docs, line);) rows += line.starts_with("| `");
  const auto families = collect_metrics(sources_);
  for (const auto& family : families) {
    EXPECT_THAT(docs.str(), HasSubstr("| `" + family.name + "` |")) << family.name;
  }
  EXPECT_EQ(rows, families.size());
}

}  // namespace
}  // namespace sekisho::proxy
