#include "proxy/process_metrics.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

namespace sekisho::proxy {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily single(std::string name, std::string help, MetricType type, double value) {
  MetricFamily family{std::move(name), std::move(help), type, {}};
  prometheus::ClientMetric metric;
  (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  family.metric.push_back(std::move(metric));
  return family;
}

// proc(5): the command's name, field 2, stands in parentheses and may hold blanks.
struct Stat {
  double cpu_seconds = 0, start_seconds = 0, virtual_bytes = 0, resident_bytes = 0;
};

std::optional<Stat> read_stat() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  std::istringstream rest(line.substr(line.rfind(')') + 1));
  constexpr int state = 3, utime = 14, stime = 15, starttime = 22, vsize = 23, rss = 24;
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  Stat stat;
  std::string text;
  for (int field = state; field <= rss && rest >> text; ++field) {
    const double number = field == state ? 0 : std::stod(text);
    if (field == utime || field == stime) stat.cpu_seconds += number / ticks;
    if (field == starttime) stat.start_seconds = number / ticks;
    if (field == vsize) stat.virtual_bytes = number;
    if (field == rss) stat.resident_bytes = number * static_cast<double>(::sysconf(_SC_PAGESIZE));
  }
  return stat;
}

// Seconds since the epoch when the machine started, which starttime counts from.
std::optional<double> boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("btime ", 0) == 0) return std::stod(line.substr(6));
  }
  return std::nullopt;
}

std::optional<double> open_descriptors() {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end;
       it.increment(error))
    ++count;
  if (error) return std::nullopt;
  return count - 1;  // the one that reads the folder
}

}  // namespace

std::vector<MetricFamily> collect_process_metrics() {
  std::vector<MetricFamily> families;
  if (const auto stat = read_stat()) {
    families.push_back(
        single("process_cpu_seconds_total", "User and system time", MetricType::Counter, stat->cpu_seconds));
    families.push_back(
        single("process_resident_memory_bytes", "Resident memory", MetricType::Gauge, stat->resident_bytes));
    families.push_back(
        single("process_virtual_memory_bytes", "Virtual memory", MetricType::Gauge, stat->virtual_bytes));
    if (const auto boot = boot_time()) {
      families.push_back(single("process_start_time_seconds", "Start of the process since the epoch",
                                MetricType::Gauge, *boot + stat->start_seconds));
    }
  }
  if (const auto open = open_descriptors()) {
    families.push_back(single("process_open_fds", "Open descriptors", MetricType::Gauge, *open));
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    families.push_back(single("process_max_fds", "Limit of open descriptors", MetricType::Gauge,
                              static_cast<double>(limit.rlim_cur)));
  }
  return families;
}

}  // namespace sekisho::proxy
