// How much memory this process may still take, so that a table that does not fit is refused with words and
// not by the OOM killer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "config/mark.hpp"

namespace sekisho::policy {

struct MemoryBound {
  std::uint64_t limit = 0;  // bytes, of all processes together
  std::uint64_t left = 0;   // of them, that nobody has or that the kernel would give back
  std::string source;       // the file that says so
};

// Where the least is left: in the process's cgroup or one above it (v2's memory.max, v1's
// memory.limit_in_bytes), or in the machine; nullopt where nothing can be read. `root` stands for "/" in
// tests.
std::optional<MemoryBound> memory_bound(const std::filesystem::path& root = "/");

// That of the system as it stands.
std::optional<MemoryBound> present_memory_bound();

// What somebody wants to take, and the setting that most of it is for.
struct MemoryNeed {
  std::uint64_t bytes = 0;
  std::string largest;  // "table.capacity"
  std::uint64_t largest_bytes = 0;
  config::Mark mark;  // where the setting is written; nowhere when defaulted
};

// The message for what does not fit beside what is there; nullopt where it does.
std::optional<std::string> memory_problem(const MemoryNeed& need, const std::optional<MemoryBound>& bound);

// "4.2 MiB"
std::string format_bytes(std::uint64_t bytes);

}  // namespace sekisho::policy
