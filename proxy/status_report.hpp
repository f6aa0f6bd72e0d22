// The JSON documents of the admin port: /status and /bans.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "proxy/fleet_watch.hpp"
#include "proxy/policy/limit_states.hpp"
#include "proxy/reload_status.hpp"
#include "proxy/upstreams.hpp"
#include "ratelimit/instant.hpp"

namespace sekisho::proxy {

// Where the figures are; nothing in it is owned.
struct StatusSources {
  std::string_view version, revision, config_source;
  double uptime_seconds = 0;
  bool draining = false;
  std::vector<std::string> listen;
  std::vector<double> worker_ages;  // seconds since each worker last turned its loop
  std::uint64_t open_connections = 0;
  const config::Config* config = nullptr;
  const policy::LimitSet* limits = nullptr;
  const Upstreams* upstreams = nullptr;
  const ReloadStatus* reloads = nullptr;
  std::uint64_t tasks = 1;  // in force
  FleetStatus fleet;
  ratelimit::Instant now;
};

std::string status_json(const StatusSources& sources);
std::string bans_json(const ratelimit::Bans& bans, ratelimit::Instant now);

// RFC 3339 in UTC, whole seconds.
std::string time_text(double seconds_since_epoch);

}  // namespace sekisho::proxy
