// How much memory this process may still take, so that a table that does not fit is refused with words and
// not by the OOM killer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

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

// The message for `needed` more bytes that do not fit; nullopt where they do.
std::optional<std::string> memory_problem(std::uint64_t needed, const std::optional<MemoryBound>& bound);

// "4.2 MiB"
std::string format_bytes(std::uint64_t bytes);

}  // namespace sekisho::policy
