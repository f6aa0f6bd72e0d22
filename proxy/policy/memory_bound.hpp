// How much memory this process may still take, so that a table that does not fit is refused with words and
// not by the OOM killer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace sekisho::policy {

struct MemoryBound {
  std::uint64_t limit = 0;   // bytes that the process may have in all
  std::uint64_t in_use = 0;  // of them, resident now
  std::string source;        // the file that says so
};

// The tightest of the memory limits of the process's cgroup and those above it (v2's memory.max, v1's
// memory.limit_in_bytes) and the machine's memory; nullopt where none can be read. `root` stands for "/" in
// tests.
std::optional<MemoryBound> memory_bound(const std::filesystem::path& root = "/");

// The message for `needed` more bytes that do not fit; nullopt where they do.
std::optional<std::string> memory_problem(std::uint64_t needed, const std::optional<MemoryBound>& bound);

// "4.2 MiB"
std::string format_bytes(std::uint64_t bytes);

}  // namespace sekisho::policy
