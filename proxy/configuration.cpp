#include "proxy/configuration.hpp"

#include <fmt/format.h>

#include <chrono>

#include "config/load.hpp"
#include "config/warnings.hpp"
#include "proxy/policy/engine.hpp"
#include "proxy/policy/range_age.hpp"
#include "proxy/worker_count.hpp"

namespace sekisho::proxy {
namespace {

std::vector<std::string> formatted(const config::Diagnostics& diagnostics, config::Severity severity) {
  std::vector<std::string> lines;
  for (const config::Diagnostic& item : diagnostics.sorted()) {
    if (item.severity == severity) lines.push_back(diagnostics.format(item));
  }
  return lines;
}

std::string address_text(const std::optional<config::Endpoint>& endpoint) {
  return endpoint ? endpoint->text : "off";
}

// Adds an error for each setting that differs between the two and cannot change while running.
void refuse_restart_only(const config::Config& running, const config::Config& wanted,
                         config::Diagnostics& diagnostics) {
  const auto refuse = [&](std::string_view setting, config::Mark mark) {
    diagnostics.error(mark, fmt::format("a change of {} needs a restart", setting));
  };
  if (running.workers != wanted.workers) refuse("`workers`", wanted.workers_mark);
  if (address_text(running.admin.listen) != address_text(wanted.admin.listen) ||
      running.admin.token != wanted.admin.token) {
    refuse("`admin`", wanted.admin.mark);
  }
  if (address_text(running.metrics) != address_text(wanted.metrics)) {
    refuse("`metrics`", wanted.metrics ? wanted.metrics->mark : config::Mark{});
  }
}

std::uint64_t connections_to(const config::Upstream& upstream) {
  return upstream.max_connections * upstream.servers.size();
}

}  // namespace

std::string ReadConfiguration::errors() const {
  return fmt::format("{}", fmt::join(formatted(diagnostics, config::Severity::error), "\n"));
}

std::vector<std::string> ReadConfiguration::warnings() const {
  return formatted(diagnostics, config::Severity::warning);
}

ReadConfiguration read_configuration(const std::string& source, std::uint64_t descriptors,
                                     const config::Config* running) {
  config::Loaded loaded = config::load(source);
  ReadConfiguration read{nullptr, std::move(loaded.diagnostics), {}};
  if (loaded.draft != nullptr) read.tls = read_tls(*loaded.draft, read.diagnostics);
  if (running != nullptr && loaded.draft != nullptr) {
    refuse_restart_only(*running, *loaded.draft, read.diagnostics);
  }
  if (loaded.config == nullptr || read.diagnostics.has_errors()) {
    if (loaded.draft != nullptr) {
      config::Diagnostics found = read.diagnostics.fresh();
      const auto states = policy::LimitStates::for_checking(*loaded.draft, std::chrono::steady_clock::now());
      policy::Engine::compile(loaded.draft, states, 0, found);
      read.diagnostics.append(found);
    }
    return read;
  }
  config::add_warnings(*loaded.config, read.diagnostics);
  policy::add_range_age_warnings(loaded.config->client_ip, std::chrono::system_clock::now(),
                                 read.diagnostics);
  auto config = std::make_shared<config::Config>(*loaded.config);
  std::uint64_t upstream = config->upstream ? connections_to(*config->upstream) : 0;
  for (const config::Route& route : config->routes) {
    if (route.own_servers) upstream += connections_to(route.upstream);
  }
  const std::uint64_t most = client_connections_within(descriptors, upstream);
  if (config->client.max_connections > most) {
    read.diagnostics.warning({}, fmt::format("client.max_connections is {} but the limit of {} open "
                                             "descriptors leaves room for {}: that holds",
                                             config->client.max_connections, descriptors, most));
    config->client.max_connections = most;
  }
  read.config = std::move(config);
  return read;
}

bool prepare_configuration(ReadConfiguration& read, policy::LimitStates& states, unsigned workers,
                           ratelimit::Instant now, PreparedConfiguration& prepared) {
  prepared.config = read.config;
  prepared.limits = states.prepare(*read.config, now, read.diagnostics);
  prepared.listeners = wanted_listeners(*read.config);
  for (std::size_t i = 0; i < prepared.listeners.size(); ++i) {
    prepared.listeners[i].tls = read.tls.listeners[i];
  }
  prepared.upstream_tls = read.tls.upstreams;
  prepared.engines.clear();
  for (unsigned worker = 0; worker < workers && !read.diagnostics.has_errors(); ++worker) {
    // Each worker's copy finds what the first found: its problems are told once.
    config::Diagnostics again;
    auto engine =
        policy::Engine::compile(read.config, prepared.limits, worker, worker == 0 ? read.diagnostics : again);
    if (engine == nullptr) return false;
    prepared.engines.push_back(std::move(engine));
  }
  return !read.diagnostics.has_errors();
}

}  // namespace sekisho::proxy
