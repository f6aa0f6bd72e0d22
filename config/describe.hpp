// The limits in plain words, for those who have to answer for them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/config.hpp"

namespace sekisho::config {

// One paragraph a limit, in the file's order: how many at once, how many after that, the most in any one
// period, when a refused client may return; its ban; what the fleet makes of it. `counted`: the tasks that
// the name in fleet.tasks stands for now, where there is one and it answered.
std::string describe_limits(const Config& config, std::optional<std::uint64_t> counted = std::nullopt);

// The memory taken at start and the most that buffers may take. `table_bytes`: of all tables of limits,
// strikes and bans.
std::string describe_memory(const Config& config, std::uint64_t table_bytes, std::uint64_t figures_bytes);

}  // namespace sekisho::config
