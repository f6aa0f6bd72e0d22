// Several classes of clients at once, in YAML: a scenario file, or one class after the other.
#pragma once

#include <string>
#include <string_view>

#include "bench/load/class_values.hpp"
#include "bench/load/plan.hpp"
#include "config/diagnostics.hpp"

namespace sekisho::load {

// Adds what the text says to the plan; every problem of it is in `diagnostics`, under `name`.
void read_scenario_text(std::string_view text, const std::string& name, Plan& plan,
                        config::Diagnostics& diagnostics);
// The one class that `text` says, in the words that a file's list of classes has, added to the plan.
// `defaults` and what was `written` of them are as the file's `defaults`.
void read_class_text(std::string_view text, const std::string& name, const ClientClass& defaults,
                     const Written& written, Plan& plan, config::Diagnostics& diagnostics);
// A whole scenario again, of a path, "env:NAME" or "-".
void read_scenario(const std::string& source, Plan& plan, config::Diagnostics& diagnostics);

}  // namespace sekisho::load
