// The metrics of docs/metrics.md, summed over the workers when somebody asks.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "proxy/counters.hpp"
#include "proxy/policy/limit_states.hpp"
#include "proxy/reload_status.hpp"
#include "proxy/upstreams.hpp"
#include "ratelimit/instant.hpp"

namespace sekisho::proxy {

// Where the numbers are at the time of one scrape. Nothing in it is owned.
struct MetricsSources {
  std::vector<const Counters*> workers;
  const policy::LimitSet* limits = nullptr;
  const config::Config* config = nullptr;  // in the order of `limits`
  const Upstreams* upstreams = nullptr;
  ReloadStatus reloads;
  std::uint64_t access_log_dropped = 0;
  std::string version, revision;
  ratelimit::Instant now;
};

// Every family of docs/metrics.md with its samples, process_* included.
std::vector<prometheus::MetricFamily> collect_metrics(const MetricsSources& sources);

// Asks for the sources at each scrape, on the scraper's thread.
class Metrics : public prometheus::Collectable {
 public:
  explicit Metrics(std::function<MetricsSources()> sources) : sources_(std::move(sources)) {}
  std::vector<prometheus::MetricFamily> Collect() const override { return collect_metrics(sources_()); }

 private:
  std::function<MetricsSources()> sources_;
};

// The text exposition format of Prometheus, version 0.0.4.
std::string serialize_metrics(const prometheus::Collectable& metrics);

}  // namespace sekisho::proxy
