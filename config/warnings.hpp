// What is valid but unlikely to be meant, or known to bite behind AWS's balancers and caches.
#pragma once

#include "config/config.hpp"
#include "config/diagnostics.hpp"

namespace sekisho::config {

// Adds the warnings of docs/configuration.md, "Warnings", that the configuration alone shows. A warning about
// two limits is given only where it certainly holds for every request.
void add_warnings(const Config& config, Diagnostics& diagnostics);

// Those about limits that get in each other's way, which add_warnings includes.
void add_limit_warnings(const Config& config, Diagnostics& diagnostics);

}  // namespace sekisho::config
