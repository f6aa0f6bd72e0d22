// The command line of sekisho-load.
#pragma once

#include <optional>
#include <string>

#include "bench/load/plan.hpp"

namespace sekisho::load {

inline constexpr int bad_usage = 2;

// Fills the plan, from the scenario file too where one is named. Where there is nothing to run, the status to
// exit with: after --help and --version 0, and 2 once what is wrong has been said.
std::optional<int> read_command_line(int argc, const char* const* argv, Plan& plan);

}  // namespace sekisho::load
