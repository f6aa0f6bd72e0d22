// The configuration in force, and how the next one takes its place: whole or not at all.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "proxy/access_log.hpp"
#include "proxy/configuration.hpp"
#include "proxy/health_checker.hpp"
#include "proxy/policy/limit_states.hpp"
#include "proxy/reload_status.hpp"
#include "proxy/server.hpp"
#include "proxy/upstreams.hpp"

namespace sekisho::proxy {

// Used by the control thread alone.
class RunningConfiguration {
 public:
  RunningConfiguration(std::string source, std::uint64_t descriptors, unsigned workers,
                       policy::LimitStates& states)
      : source_(std::move(source)), descriptors_(descriptors), workers_(workers), states_(states) {}

  // Takes up the first one. False, with the problems in `read`, where its policy or tables cannot be had.
  bool take_first(ReadConfiguration& read);
  // Logs those of `read` that the configuration before did not have too.
  void say_warnings(const ReadConfiguration& read);
  // Snapshots of the configuration taken up last, one for each worker; to be asked for once.
  std::vector<std::unique_ptr<Snapshot>> snapshots();

  // What the first one listens on; to be asked for once.
  std::vector<ListenerState> listeners() { return std::move(listeners_); }

  // Reads the source again. Buckets, bans and connections stay. False: everything is as it was, status() has
  // the problems and the log said them; or a worker that hangs has not taken it up yet.
  bool reload(Server& server, AccessLog& access_log, HealthChecker& health);

  const config::Config& config() const { return *config_; }
  const Upstreams& upstreams() const { return *upstreams_; }
  const ReloadStatus& status() const { return status_; }

 private:
  void take(PreparedConfiguration prepared);
  void listen(ListenerChange& listeners, AccessLog& access_log);
  void find_addresses();
  void note(bool successful, std::string problems);

  std::string source_;
  std::uint64_t descriptors_;
  unsigned workers_;
  policy::LimitStates& states_;
  std::shared_ptr<const config::Config> config_;
  std::vector<std::unique_ptr<policy::Engine>> engines_;
  std::shared_ptr<const Upstreams> upstreams_;
  std::vector<ListenerState> listeners_;
  std::uint64_t generation_ = 0;
  ReloadStatus status_;
  std::vector<std::string> warnings_;  // of the configuration in force
};

}  // namespace sekisho::proxy
