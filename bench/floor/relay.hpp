// A relay that does what no proxy can leave out, and nothing else: no limits, no log, no field read but
// Content-Length and Connection.
#pragma once

#include <string_view>

namespace sekisho::bench::floor {

// Takes requests at `listen` and passes each to a kept connection to `upstream`, the newest idle one first.
// Bodies need Content-Length.
[[noreturn]] void relay(std::string_view listen, std::string_view upstream);

}  // namespace sekisho::bench::floor
