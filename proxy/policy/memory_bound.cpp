#include "proxy/policy/memory_bound.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

namespace sekisho::policy {
namespace {

namespace fs = std::filesystem;

// v1 says "no limit" by a number near 2^63, rounded to pages.
constexpr std::uint64_t unlimited = std::uint64_t{1} << 60;

// One version's names for a group's limit, what the group has, and the pages of files in that, which the
// kernel takes back before it kills.
struct GroupFiles {
  const char* limit;
  const char* current;
  const char* reclaimable;  // a line of memory.stat
};
constexpr GroupFiles version_1 = {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};
constexpr GroupFiles version_2 = {"memory.max", "memory.current", "inactive_file"};

void tighten(std::optional<MemoryBound>& bound, MemoryBound found) {
  if (!bound || found.left < bound->left) bound = std::move(found);
}

// The file's number, where there is one ("max" is none).
std::optional<std::uint64_t> number_in(const fs::path& file) {
  std::ifstream in(file);
  std::uint64_t number = 0;
  return in >> number ? std::optional(number) : std::nullopt;
}

// The number after `name` on a line of its own.
std::optional<std::uint64_t> number_after(const fs::path& file, std::string_view name) {
  std::ifstream in(file);
  std::string word;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::uint64_t number = 0;
    if (words >> word && word == name && words >> number) return number;
  }
  return std::nullopt;
}

void tighten_by_group(std::optional<MemoryBound>& bound, const fs::path& group, const GroupFiles& files) {
  const auto limit = number_in(group / files.limit);
  if (!limit || *limit >= unlimited) return;
  const std::uint64_t current = number_in(group / files.current).value_or(0);
  const std::uint64_t reclaimable = number_after(group / "memory.stat", files.reclaimable).value_or(0);
  const std::uint64_t held = current - std::min(current, reclaimable);
  tighten(bound, {*limit, *limit - std::min(*limit, held), (group / files.limit).string()});
}

// Every level counts: a pod's limit stands above its container's. Inside a cgroup namespace the path that the
// kernel names may not be there; then the root of the mount is ours.
void walk_up(std::optional<MemoryBound>& bound, const fs::path& mount, const std::string& group,
             const GroupFiles& files) {
  fs::path level = fs::path(group).relative_path();
  while (!level.empty()) {
    tighten_by_group(bound, mount / level, files);
    level = level.parent_path();
  }
  tighten_by_group(bound, mount, files);
}

}  // namespace

std::optional<MemoryBound> memory_bound(const fs::path& root) {
  std::optional<MemoryBound> bound;
  const fs::path mount = root / "sys/fs/cgroup";
  std::ifstream groups(root / "proc/self/cgroup");
  std::string line;
  while (std::getline(groups, line)) {
    // hierarchy-ID:controllers:path
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string group = line.substr(second + 1);
    if (controllers == ",,") {
      walk_up(bound, mount, group, version_2);
    } else if (controllers.find(",memory,") != std::string::npos) {
      walk_up(bound, mount / "memory", group, version_1);
    }
  }
  const fs::path meminfo = root / "proc/meminfo";
  if (const auto total = number_after(meminfo, "MemTotal:")) {
    const std::uint64_t available = number_after(meminfo, "MemAvailable:").value_or(*total);
    tighten(bound, {*total * 1024, available * 1024, meminfo.string()});
  }
  return bound;
}

std::optional<MemoryBound> present_memory_bound() {
  return memory_bound();
}

std::optional<std::string> memory_problem(const MemoryNeed& need, const std::optional<MemoryBound>& bound) {
  if (!bound || need.bytes <= bound->left) return std::nullopt;
  return fmt::format("the limits' tables need {}, but of {} ({}) only {} are left: lower {}, which takes {}",
                     format_bytes(need.bytes), format_bytes(bound->limit), bound->source,
                     format_bytes(bound->left), need.largest, format_bytes(need.largest_bytes));
}

std::string format_bytes(std::uint64_t bytes) {
  constexpr const char* units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(units)) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} bytes", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

}  // namespace sekisho::policy
