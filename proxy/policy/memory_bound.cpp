#include "proxy/policy/memory_bound.hpp"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

namespace sekisho::policy {
namespace {

namespace fs = std::filesystem;

// v1 says "no limit" by a number near 2^63, rounded to pages.
constexpr std::uint64_t unlimited = std::uint64_t{1} << 60;

void tighten(std::optional<MemoryBound>& bound, std::uint64_t limit, const fs::path& source) {
  if (limit >= unlimited || (bound && bound->limit <= limit)) return;
  bound = MemoryBound{limit, 0, source.string()};
}

// The file's number, where there is one ("max" is none).
void tighten_by_file(std::optional<MemoryBound>& bound, const fs::path& file) {
  std::ifstream in(file);
  std::uint64_t limit = 0;
  if (in >> limit) tighten(bound, limit, file);
}

// Every level counts: a pod's limit stands above its container's. Inside a cgroup namespace the path that the
// kernel names may not be there; then the root of the mount is ours.
void walk_up(std::optional<MemoryBound>& bound, const fs::path& mount, const std::string& group,
             const char* file) {
  fs::path level = fs::path(group).relative_path();
  while (!level.empty()) {
    tighten_by_file(bound, mount / level / file);
    level = level.parent_path();
  }
  tighten_by_file(bound, mount / file);
}

// "Name:   123 kB" of a file of /proc, in bytes.
std::optional<std::uint64_t> kilobytes(const fs::path& file, std::string_view name) {
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line)) {
    if (!line.starts_with(name)) continue;
    std::uint64_t value = 0;
    if (std::istringstream(line.substr(name.size())) >> value) return value * 1024;
  }
  return std::nullopt;
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
      walk_up(bound, mount, group, "memory.max");
    } else if (controllers.find(",memory,") != std::string::npos) {
      walk_up(bound, mount / "memory", group, "memory.limit_in_bytes");
    }
  }
  const fs::path meminfo = root / "proc/meminfo";
  if (const auto total = kilobytes(meminfo, "MemTotal:")) tighten(bound, *total, meminfo);
  if (bound) bound->in_use = kilobytes(root / "proc/self/status", "VmRSS:").value_or(0);
  return bound;
}

std::optional<std::string> memory_problem(std::uint64_t needed, const std::optional<MemoryBound>& bound) {
  if (!bound) return std::nullopt;
  const std::uint64_t left = bound->limit > bound->in_use ? bound->limit - bound->in_use : 0;
  if (needed <= left) return std::nullopt;
  return fmt::format("the limits' tables need {}, but of {} ({}) only {} are left: lower table.capacity",
                     format_bytes(needed), format_bytes(bound->limit), bound->source, format_bytes(left));
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
