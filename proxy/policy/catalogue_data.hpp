// The lines of data/probes.txt as CMake compiled them in.
#pragma once

#include <span>
#include <string_view>

namespace sekisho::policy {

// Patterns, "[group]" before those of each group, and before all groups "!" and a pattern never to be
// matched.
std::span<const std::string_view> catalogue_lines();

}  // namespace sekisho::policy
