// `sekisho check`: every problem of the file in one run, then its limits in plain words.
#pragma once

#include <memory>
#include <string>

#include "config/config.hpp"
#include "config/diagnostics.hpp"
#include "config/load.hpp"

namespace sekisho {

// Problems go to standard output as FILE:LINE:COL: message, and so does what the limits mean when there are
// none; warnings go to standard error. Returns the exit status: 0, or 1 where there is a problem (`strict`:
// or a warning).
int check_command(const std::string& source, bool strict);

// Adds the problems that only the policy sees (patterns, networks, hosts, catalogues, keys) to what load()
// found, errors or not, so that nobody has to mend a file twice; `config` becomes null where there is one.
// Takes no table's memory.
void add_policy_problems(config::Loaded& loaded);

}  // namespace sekisho
