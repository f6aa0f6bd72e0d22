// Warns of lists of proxies that have grown old.
#pragma once

#include <chrono>

#include "config/config.hpp"
#include "config/diagnostics.hpp"

namespace sekisho::policy {

// Adds a warning for each of AWS's lists in `client_ip`, built in or a file, that was made more than 90 days
// before `today`: AWS adds edges, and one that is not trusted counts as one client.
void add_range_age_warnings(const config::ClientIp& client_ip, std::chrono::system_clock::time_point today,
                            config::Diagnostics& diagnostics);

}  // namespace sekisho::policy
