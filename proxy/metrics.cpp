#include "proxy/metrics.hpp"

#include <prometheus/text_serializer.h>

#include <array>
#include <limits>
#include <map>
#include <sstream>

#include "proxy/metric_families.hpp"
#include "proxy/process_metrics.hpp"

namespace sekisho::proxy {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;
using Families = std::vector<MetricFamily>;

template <class Pick>
double sum(const MetricsSources& sources, Pick pick) {
  std::uint64_t total = 0;
  for (const Counters* worker : sources.workers) total += pick(*worker).get();
  return static_cast<double>(total);
}

template <class Pick>
prometheus::ClientMetric::Histogram sum_histogram(const MetricsSources& sources, Pick pick) {
  prometheus::ClientMetric::Histogram histogram;
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i <= Histogram::bounds.size(); ++i) {
    for (const Counters* worker : sources.workers) cumulative += pick(*worker).bucket(i);
    const double bound =
        i < Histogram::bounds.size() ? Histogram::bounds[i] : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back({cumulative, bound});
  }
  histogram.sample_count = cumulative;
  for (const Counters* worker : sources.workers) histogram.sample_sum += pick(*worker).sum_seconds();
  return histogram;
}

std::string outcome_label(std::size_t index) {
  return std::string(to_string(static_cast<policy::Outcome>(index)));
}

void collect_requests(const MetricsSources& sources, Families& out) {
  FamilyBuilder requests("requests_total", "Requests by how they ended, each counted once",
                         MetricType::Counter);
  FamilyBuilder durations("request_duration_seconds",
                          "From the first byte of the head to the last of the response, without tunnels",
                          MetricType::Histogram);
  for (std::size_t i = 0; i < policy::outcome_count; ++i) {
    const MetricLabels label{{"outcome", outcome_label(i)}};
    requests.add(label, sum(sources, [i](const Counters& c) -> const Count& { return c.requests[i]; }));
    if (static_cast<policy::Outcome>(i) == policy::Outcome::tunnel) continue;
    auto histogram =
        sum_histogram(sources, [i](const Counters& c) -> const Histogram& { return c.request_duration[i]; });
    // 18 lines an outcome: only those that were seen.
    if (histogram.sample_count > 0) durations.add(label, std::move(histogram));
  }
  requests.into(out);
  durations.into(out);

  FamilyBuilder responses("responses_total", "Responses by status and by who made them", MetricType::Counter);
  for (std::size_t code = 100; code < 600; ++code) {
    const auto add = [&](const char* source, double count) {
      if (count > 0) responses.add({{"code", std::to_string(code)}, {"source", source}}, count);
    };
    add("upstream",
        sum(sources, [code](const Counters& c) -> const Count& { return c.responses_upstream[code]; }));
    add("sekisho",
        sum(sources, [code](const Counters& c) -> const Count& { return c.responses_sekisho[code]; }));
  }
  responses.into(out);

  const auto total = [&](const char* name, const char* help, MetricType type, Count Counters::*count) {
    FamilyBuilder(name, help, type)
        .add({}, sum(sources, [count](const Counters& c) -> const Count& { return c.*count; }))
        .into(out);
  };
  total("request_bytes_total", "Bytes of request bodies", MetricType::Counter, &Counters::request_bytes);
  total("response_bytes_total", "Bytes of response bodies", MetricType::Counter, &Counters::response_bytes);
  total("connections_refused_total",
        "Client connections refused at client.max_connections, or for want of a trusted PROXY header",
        MetricType::Counter, &Counters::connections_refused);
  total("tunnels_active", "Upgraded connections, such as WebSockets", MetricType::Gauge,
        &Counters::tunnels_active);
  total("buffer_bytes", "Bytes in buffers for heads and bodies", MetricType::Gauge, &Counters::buffer_bytes);
  total("upstream_retries_total", "Requests sent again", MetricType::Counter, &Counters::upstream_retries);

  const auto states = [&](const char* name, const char* help, Count Counters::*active,
                          Count Counters::*idle) {
    FamilyBuilder(name, help, MetricType::Gauge)
        .add({{"state", "active"}},
             sum(sources, [active](const Counters& c) -> const Count& { return c.*active; }))
        .add({{"state", "idle"}}, sum(sources, [idle](const Counters& c) -> const Count& { return c.*idle; }))
        .into(out);
  };
  states("client_connections", "Connections of clients", &Counters::client_active, &Counters::client_idle);
  states("upstream_connections", "Connections to the upstream", &Counters::upstream_active,
         &Counters::upstream_idle);
}

// By server as the file names it, which two upstreams may do.
void collect_servers(const Upstreams& upstreams, Families& out) {
  struct Sum {
    bool can_serve = false;
    std::array<std::uint64_t, upstream_error_reason_count> errors{};
  };
  std::map<std::string, Sum> servers;
  std::uint64_t waiting = 0;
  for (const auto& upstream : upstreams.distinct()) {
    waiting += upstream->in_flight->waiting();
    for (const auto& server : upstream->servers) {
      Sum& sum = servers[server->text];
      sum.can_serve = sum.can_serve || server->can_serve();
      for (std::size_t i = 0; i < sum.errors.size(); ++i)
        sum.errors[i] += server->errors(static_cast<UpstreamErrorReason>(i));
    }
  }
  FamilyBuilder("upstream_queue_length", "Requests waiting for a permit of upstream.max_in_flight",
                MetricType::Gauge)
      .add({}, static_cast<double>(waiting))
      .into(out);
  static constexpr const char* reasons[upstream_error_reason_count] = {"connect", "timeout", "reset",
                                                                       "bad_response"};
  FamilyBuilder healthy("upstream_healthy", "1 while the server takes connections and passes its checks",
                        MetricType::Gauge);
  FamilyBuilder errors("upstream_errors_total", "Failures of the upstream, retried ones included",
                       MetricType::Counter);
  for (const auto& [text, sum] : servers) {
    healthy.add({{"server", text}}, sum.can_serve ? 1 : 0);
    for (std::size_t i = 0; i < sum.errors.size(); ++i)
      errors.add({{"server", text}, {"reason", reasons[i]}}, static_cast<double>(sum.errors[i]));
  }
  healthy.into(out);
  errors.into(out);
}

void collect_upstream(const MetricsSources& sources, Families& out) {
  FamilyBuilder("upstream_duration_seconds",
                "From the first byte sent to the upstream to the last of its response", MetricType::Histogram)
      .add({},
           sum_histogram(sources, [](const Counters& c) -> const Histogram& { return c.upstream_duration; }))
      .into(out);
  FamilyBuilder("upstream_queue_seconds", "Waiting for a permit of upstream.max_in_flight",
                MetricType::Histogram)
      .add({}, sum_histogram(sources, [](const Counters& c) -> const Histogram& { return c.upstream_queue; }))
      .into(out);
  FamilyBuilder("upstream_in_flight", "Requests at the upstream", MetricType::Gauge)
      .add({}, sum(sources, [](const Counters& c) -> const Count& { return c.upstream_in_flight; }))
      .into(out);
  if (sources.upstreams != nullptr) collect_servers(*sources.upstreams, out);
}

void collect_limits(const MetricsSources& sources, Families& out) {
  if (sources.limits == nullptr) return;
  static constexpr const char* decisions[policy::limit_decision_count] = {"allowed", "limited", "delayed",
                                                                          "banned",  "blocked", "shadow"};
  FamilyBuilder decided("limit_decisions_total", "What each limit that matched said, alone",
                        MetricType::Counter);
  FamilyBuilder refused("refused_clients", "Distinct keys that the limit refused in the last five minutes",
                        MetricType::Gauge);
  FamilyBuilder capacity("table_capacity", "Clients that the limit can track at once", MetricType::Gauge);
  FamilyBuilder clients("table_clients", "Clients in debt at the last sweep", MetricType::Gauge);
  FamilyBuilder evictions("table_evictions_total", "Live buckets dropped because the table was full",
                          MetricType::Counter);
  FamilyBuilder evicted("table_evicted_tokens_total",
                        "Debt of the buckets dropped, in tokens: an upper bound on what was over-admitted",
                        MetricType::Counter);
  FamilyBuilder bans("bans_active", "Bans in force that are listed", MetricType::Gauge);

  for (std::size_t index = 0; index < sources.limits->limits.size(); ++index) {
    const policy::LimitState& limit = *sources.limits->limits[index];
    const MetricLabels label{{"limit", limit.name}};
    for (std::size_t i = 0; i < policy::limit_decision_count; ++i) {
      std::uint64_t count = 0;
      for (const policy::LimitCounts& worker : limit.counts)
        count += worker.decisions[i].load(std::memory_order_relaxed);
      decided.add({label.front(), {"decision", decisions[i]}}, static_cast<double>(count));
    }
    std::vector<const ratelimit::RecentKeys*> keys;
    for (const policy::LimitCounts& worker : limit.counts) keys.push_back(&worker.refused);
    refused.add(label, static_cast<double>(ratelimit::RecentKeys::count(keys, sources.now)));
    if (limit.limiter != nullptr) {
      const ratelimit::LimiterStats stats = limit.limiter->stats();
      capacity.add(label, static_cast<double>(stats.capacity));
      clients.add(label, static_cast<double>(stats.live));
    }
    if (const auto dropped = limit.evictions()) {
      evictions.add(label, static_cast<double>(dropped->buckets));
      evicted.add(label, static_cast<double>(dropped->tokens));
    }
    const bool can_ban = sources.config != nullptr && index < sources.config->limits.size() &&
                         sources.config->limits[index].ban.has_value();
    if (can_ban && sources.limits->bans != nullptr) {
      bans.add(label, static_cast<double>(sources.limits->bans->active(limit.name, sources.now)));
    }
  }
  for (FamilyBuilder* family : {&decided, &refused, &capacity, &clients, &evictions, &evicted, &bans})
    family->into(out);
  const ratelimit::BansStats stats =
      sources.limits->bans != nullptr ? sources.limits->bans->stats() : ratelimit::BansStats{};
  FamilyBuilder("bans_unlisted", "Bans in force beyond those that can be listed", MetricType::Gauge)
      .add({}, static_cast<double>(stats.unlisted))
      .into(out);
  FamilyBuilder("ban_evictions_total", "Bans dropped before their end because their table was full",
                MetricType::Counter)
      .add({}, static_cast<double>(stats.evictions))
      .into(out);
  FamilyBuilder("ban_events_dropped_total",
                "Bans and ends of bans that came faster than they could be logged", MetricType::Counter)
      .add({}, static_cast<double>(stats.events_dropped))
      .into(out);
}

void collect_process(const MetricsSources& sources, Families& out) {
  const ReloadStatus& reloads = sources.reloads;
  FamilyBuilder("config_reloads_total", "Reloads by result", MetricType::Counter)
      .add({{"result", "success"}}, static_cast<double>(reloads.successes))
      .add({{"result", "failure"}}, static_cast<double>(reloads.failures))
      .into(out);
  FamilyBuilder("config_last_reload_successful", "0 while the file last read was refused", MetricType::Gauge)
      .add({}, reloads.last_successful ? 1 : 0)
      .into(out);
  FamilyBuilder("config_last_reload_success_timestamp_seconds",
                "When the configuration in force was taken up", MetricType::Gauge)
      .add({}, reloads.last_success_seconds)
      .into(out);
  FamilyBuilder("access_log_dropped_total", "Lines dropped because the reader was slower than the traffic",
                MetricType::Counter)
      .add({}, static_cast<double>(sources.access_log_dropped))
      .into(out);
  FamilyBuilder("build_info", "Always 1", MetricType::Gauge)
      .add({{"version", sources.version}, {"revision", sources.revision}}, 1)
      .into(out);
  for (MetricFamily& family : collect_process_metrics()) out.push_back(std::move(family));
}

}  // namespace

std::vector<MetricFamily> collect_metrics(const MetricsSources& sources) {
  Families families;
  collect_requests(sources, families);
  collect_upstream(sources, families);
  collect_limits(sources, families);
  collect_process(sources, families);
  return families;
}

std::string serialize_metrics(const prometheus::Collectable& metrics) {
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, metrics.Collect());
  return std::move(text).str();
}

}  // namespace sekisho::proxy
