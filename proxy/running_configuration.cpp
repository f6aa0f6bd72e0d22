#include "proxy/running_configuration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <new>
#include <optional>

#include "proxy/diagnostic_log.hpp"
#include "proxy/name_lookup.hpp"

namespace sekisho::proxy {
namespace {

constexpr auto look_up_patience = std::chrono::seconds(2);

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

bool RunningConfiguration::take_first(ReadConfiguration& read) {
  const ratelimit::Instant now = std::chrono::steady_clock::now();
  PreparedConfiguration prepared;
  if (!prepare_configuration(read, states_, workers_, now, prepared)) return false;
  listeners_ = std::move(prepared.listeners);
  take(std::move(prepared));
  note(true, {});
  return true;
}

// By the time of now, not of when the reading began: what clients were charged in between was by the old
// rates.
void RunningConfiguration::take(PreparedConfiguration prepared) {
  auto upstreams = make_upstreams(*prepared.config, prepared.upstream_tls, workers_, upstreams_.get());
  states_.commit(*prepared.config, std::move(prepared.limits), std::chrono::steady_clock::now());
  config_ = std::move(prepared.config);
  engines_ = std::move(prepared.engines);
  upstreams_ = std::move(upstreams);
  ++generation_;
  set_log_level(config_->log.level);
}

std::vector<std::unique_ptr<Snapshot>> RunningConfiguration::snapshots() {
  std::vector<std::unique_ptr<Snapshot>> snapshots;
  for (std::unique_ptr<policy::Engine>& engine : engines_) {
    snapshots.push_back(std::make_unique<Snapshot>(config_, std::move(engine), upstreams_, generation_));
  }
  engines_.clear();
  return snapshots;
}

bool RunningConfiguration::reload(Server& server, AccessLog& access_log, HealthChecker& health) {
  ReadConfiguration read;
  std::string problems;
  std::optional<ListenerChange> listeners;
  bool taken = false;
  // Whatever goes wrong here, the old configuration serves on.
  try {
    read = read_configuration(source_, descriptors_, config_.get());
    const ratelimit::Instant now = std::chrono::steady_clock::now();
    PreparedConfiguration prepared;
    if (read.config != nullptr && prepare_configuration(read, states_, workers_, now, prepared)) {
      listeners.emplace(server.prepare_listeners(std::move(prepared.listeners)));
      access_log.configure(prepared.config->log);
      listen(*listeners, access_log);  // the last thing that can fail
      take(std::move(prepared));
      taken = true;
    }
  } catch (const ListenProblem& problem) {
    read.diagnostics.error(problem.mark(), problem.what());
  } catch (const std::bad_alloc&) {
    problems = "the system refuses the memory that it takes";
  } catch (const std::exception& problem) {
    problems = problem.what();
  }
  if (problems.empty()) problems = read.errors();
  if (!taken) {
    if (problems.empty()) problems = "it could not be prepared";
    note(false, problems);
    log_event(LogLevel::error, "reload", "the configuration was refused, the old one stays: " + problems,
              {{"result", "failure"}});
    return false;
  }
  std::vector<unsigned> late;
  // What can go wrong here is memory alone: the workers serve by what they have, and the next reload is whole
  // again.
  try {
    find_addresses();
    health.watch(*config_, *upstreams_);
    late = server.apply(snapshots(), std::move(*listeners));
  } catch (const std::exception& problem) {
    note(false, fmt::format("the workers could not be told of the configuration: {}", problem.what()));
    log_event(LogLevel::error, "reload", status_.last_problems, {{"result", "failure"}});
    return false;
  }
  note(true, {});
  say_warnings(read);
  if (!late.empty()) {
    const std::string message =
        fmt::format("worker {} does not turn its loop: it takes up the configuration when it does",
                    fmt::join(late, ", "));
    status_.last_problems = message;
    log_event(LogLevel::error, "reload", message, {{"result", "late"}, {"generation", generation_}});
    return false;
  }
  log_event(LogLevel::info, "reload", "the configuration was taken up by every worker",
            {{"result", "success"}, {"generation", generation_}});
  return true;
}

// What is bound cannot be listened on only where another process was quicker in the moment since.
void RunningConfiguration::listen(ListenerChange& listeners, AccessLog& access_log) {
  try {
    listeners.listen();
  } catch (const ListenProblem&) {
    access_log.configure(config_->log);
    throw;
  }
}

// A worker that switches finds the addresses of new servers' names: no request may fail for want of them.
void RunningConfiguration::find_addresses() {
  std::vector<NameToFind> names;
  std::vector<UpstreamServer*> servers;
  const auto find = [&](const config::Upstream& config, const Upstream& upstream) {
    for (std::size_t i = 0; i < config.servers.size(); ++i) {
      const config::Endpoint& server = config.servers[i];
      if (server.kind != config::Endpoint::Kind::name || !upstream.servers[i]->endpoints().empty()) continue;
      names.push_back({server.host, server.port});
      servers.push_back(upstream.servers[i].get());
    }
  };
  for (std::size_t i = 0; i < config_->routes.size(); ++i) {
    if (config_->routes[i].own_servers) find(config_->routes[i].upstream, *upstreams_->routes[i]);
  }
  if (config_->upstream) find(*config_->upstream, *upstreams_->routes.back());
  std::vector<NameLookup> found = wait_for_names(names, look_up_patience);
  for (std::size_t i = 0; i < servers.size(); ++i) servers[i]->set_endpoints(std::move(found[i].endpoints));
}

void RunningConfiguration::say_warnings(const ReadConfiguration& read) {
  std::vector<std::string> warnings = read.warnings();
  for (const std::string& warning : warnings) {
    if (std::ranges::find(warnings_, warning) != warnings_.end()) continue;
    log_event(LogLevel::warning, "config_warning", warning);
  }
  warnings_ = std::move(warnings);
}

void RunningConfiguration::note(bool successful, std::string problems) {
  const bool at_start = generation_ <= 1 && status_.last_seconds == 0;
  status_.last_seconds = wall_seconds();
  status_.last_successful = successful;
  status_.last_problems = std::move(problems);
  if (successful) status_.last_success_seconds = status_.last_seconds;
  if (!at_start) ++(successful ? status_.successes : status_.failures);
}

}  // namespace sekisho::proxy
