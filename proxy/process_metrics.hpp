// The usual process_* metrics, read from /proc.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace sekisho::proxy {

// process_cpu_seconds_total, process_open_fds, process_max_fds, process_resident_memory_bytes,
// process_virtual_memory_bytes and process_start_time_seconds; what cannot be read is left out.
std::vector<prometheus::MetricFamily> collect_process_metrics();

}  // namespace sekisho::proxy
