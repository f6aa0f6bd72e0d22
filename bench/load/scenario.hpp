// A scenario file: several classes of clients at once, in YAML.
#pragma once

#include <string>
#include <string_view>

#include "bench/load/plan.hpp"
#include "config/diagnostics.hpp"

namespace sekisho::load {

// Adds what the text says to the plan; every problem of it is in `diagnostics`, under `name`.
void read_scenario_text(std::string_view text, const std::string& name, Plan& plan,
                        config::Diagnostics& diagnostics);
// The same of a path, "env:NAME" or "-".
void read_scenario(const std::string& source, Plan& plan, config::Diagnostics& diagnostics);

}  // namespace sekisho::load
