#include "proxy/worker_count.hpp"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

namespace sekisho::proxy {
namespace {

namespace fs = std::filesystem;

constexpr unsigned most_workers = 4;
constexpr std::uint64_t own_descriptors = 256;  // listeners, event loops, pipes, logs, the admin port

unsigned rounded_up(double cpus) {
  return static_cast<unsigned>(std::clamp(cpus + 0.999, 1.0, 65536.0));
}

// "MAX PERIOD" or "max PERIOD".
std::optional<double> quota_v2(const fs::path& group) {
  std::ifstream file(group / "cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return std::nullopt;
  return std::strtod(quota.c_str(), nullptr) / period;
}

std::optional<double> quota_v1(const fs::path& group) {
  std::ifstream quota_file(group / "cpu.cfs_quota_us"), period_file(group / "cpu.cfs_period_us");
  double quota = 0, period = 0;
  if (!(quota_file >> quota) || !(period_file >> period) || quota <= 0 || period <= 0) return std::nullopt;
  return quota / period;
}

// The least quota of `group` and the groups above it. Inside a container the group's path may be the host's,
// which is not mounted there; its quota then stands at the mount itself, which the walk ends at.
template <class Quota>
std::optional<double> least_quota(const fs::path& mount, fs::path group, Quota quota) {
  std::optional<double> least;
  for (;;) {
    const auto here = quota(group.empty() || group == "/" ? mount : mount / group.relative_path());
    if (here && (!least || *here < *least)) least = here;
    if (group.empty() || group == "/" || !group.has_parent_path() || group.parent_path() == group)
      return least;
    group = group.parent_path();
  }
}

std::optional<double> lesser(std::optional<double> a, std::optional<double> b) {
  if (!a) return b;
  return b ? std::min(*a, *b) : a;
}

bool lists(const std::string& controllers, const std::string& wanted) {
  std::istringstream list(controllers);
  for (std::string controller; std::getline(list, controller, ',');) {
    if (controller == wanted) return true;
  }
  return false;
}

}  // namespace

std::optional<unsigned> cgroup_cpus(const fs::path& root) {
  const fs::path mount = root / "sys/fs/cgroup";
  std::ifstream membership(root / "proc/self/cgroup");
  std::optional<double> cpus;
  // Lines of ID:CONTROLLERS:PATH; v2's has ID 0 and no controllers.
  for (std::string line; std::getline(membership, line);) {
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const fs::path group = line.substr(second + 1);
    if (controllers.empty()) {
      cpus = lesser(cpus, least_quota(mount, group, quota_v2));
    } else if (lists(controllers, "cpu")) {
      for (const char* name : {"cpu", "cpu,cpuacct"})
        cpus = lesser(cpus, least_quota(mount / name, group, quota_v1));
    }
  }
  if (!cpus) return std::nullopt;
  return rounded_up(*cpus);
}

unsigned automatic_workers(const fs::path& root) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  unsigned cpus = 1;
  if (::sched_getaffinity(0, sizeof mask, &mask) == 0)
    cpus = static_cast<unsigned>(std::max(1, CPU_COUNT(&mask)));
  return std::min({cpus, cgroup_cpus(root).value_or(cpus), most_workers});
}

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  if (limit.rlim_cur < limit.rlim_max) {
    const rlim_t soft = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = soft;
  }
  return limit.rlim_cur;
}

std::uint64_t client_connections_within(std::uint64_t descriptors, std::uint64_t upstream_connections) {
  // With few descriptors each side gets its share: an upstream side that took all of them would serve nobody.
  const std::uint64_t reserved =
      std::min(upstream_connections, descriptors / 4) + std::min(own_descriptors, descriptors / 4);
  return std::max<std::uint64_t>(1, descriptors - reserved);
}

}  // namespace sekisho::proxy
