// One run: threads started, watched and ended.
#pragma once

#include <string>

#include "bench/load/plan.hpp"
#include "bench/load/result.hpp"
#include "bench/load/target.hpp"

namespace sekisho::load {

// Raises the number of descriptors to what the system allows. False with `problem` set where `connections` do
// not fit.
bool make_room_for(std::uint64_t connections, std::string& problem);

std::uint64_t connections_of(const Plan& plan);

// Until the plan is through, or SIGINT or SIGTERM, or nothing at all can be reached. Writes progress to
// stderr where that is a terminal.
Result run_plan(const Plan& plan, Target target);

}  // namespace sekisho::load
