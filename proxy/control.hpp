// The control thread: signals, reload, drain, admin port, metrics, health checks. Everything that is not a
// request.
#pragma once

#include <functional>
#include <string>

#include "config/diagnostics.hpp"

namespace sekisho::proxy {

struct ControlOptions {
  std::string config_source;  // a path, env:NAME or -
  std::string version;
  std::string revision;
};

// Runs the proxy in the foreground until a signal has ended it. Returns the process's exit status: 0 after a
// drain, 1 where the configuration was refused or an address could not be bound (said on stderr).
int run_control(const ControlOptions& options);

}  // namespace sekisho::proxy
