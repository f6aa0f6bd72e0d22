// Shorthand for building prometheus-cpp's families.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

namespace sekisho::proxy {

using MetricLabels = std::vector<prometheus::ClientMetric::Label>;

// A family under construction; its name gets the prefix sekisho_.
class FamilyBuilder {
 public:
  FamilyBuilder(std::string name, std::string help, prometheus::MetricType type)
      : family_{"sekisho_" + std::move(name), std::move(help), type, {}} {}

  FamilyBuilder& add(MetricLabels labels, double value) {
    prometheus::ClientMetric metric;
    metric.label = std::move(labels);
    (family_.type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    family_.metric.push_back(std::move(metric));
    return *this;
  }
  FamilyBuilder& add(MetricLabels labels, prometheus::ClientMetric::Histogram histogram) {
    prometheus::ClientMetric metric;
    metric.label = std::move(labels);
    metric.histogram = std::move(histogram);
    family_.metric.push_back(std::move(metric));
    return *this;
  }
  void into(std::vector<prometheus::MetricFamily>& families) { families.push_back(std::move(family_)); }

 private:
  prometheus::MetricFamily family_;
};

}  // namespace sekisho::proxy
