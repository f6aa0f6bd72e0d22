#include "proxy/status_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "proxy/json_writer.hpp"

namespace sekisho::proxy {
namespace {

double seconds(ratelimit::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

void write_reload(JsonWriter& json, const ReloadStatus& reloads) {
  json.key("last_reload").begin_object();
  json.member("successful", reloads.last_successful).member("time", time_text(reloads.last_seconds));
  json.member("last_success", time_text(reloads.last_success_seconds));
  json.member("successes", reloads.successes).member("failures", reloads.failures);
  json.member("problems", reloads.last_problems).end_object();
}

void write_tables(JsonWriter& json, const StatusSources& sources) {
  json.key("tables").begin_array();
  for (std::size_t i = 0; i < sources.limits->limits.size(); ++i) {
    const policy::LimitState& limit = *sources.limits->limits[i];
    json.begin_object().member("limit", limit.name).member("shadow", sources.config->limits[i].shadow);
    if (limit.limiter != nullptr) {
      const ratelimit::LimiterStats stats = limit.limiter->stats();
      json.member("capacity", stats.capacity).member("clients", stats.live);
    }
    if (const auto dropped = limit.evictions())
      json.member("evictions", dropped->buckets).member("evicted_tokens", dropped->tokens);
    const bool can_ban = sources.config->limits[i].ban.has_value();
    json.member("bans", can_ban ? sources.limits->bans->active(limit.name, sources.now) : 0).end_object();
  }
  json.end_array();
}

void write_fleet(JsonWriter& json, std::uint64_t tasks, const FleetStatus& fleet) {
  json.key("fleet").begin_object().member("tasks", tasks);
  if (!fleet.name.empty())
    json.member("name", fleet.name).member("counted", fleet.counted).member("problem", fleet.problem);
  json.end_object();
}

// As `sekisho explain` numbers the routes; one without servers of its own shares the top-level upstream.
std::string name_of(const Upstream& upstream, const Upstreams& all) {
  if (all.routes.back().get() == &upstream) return "the top-level upstream";
  const auto at = std::ranges::find(all.routes, &upstream, [](const auto& each) { return each.get(); });
  return fmt::format("route {}", at - all.routes.begin() + 1);
}

void write_upstreams(JsonWriter& json, const Upstreams& upstreams) {
  json.key("upstream").begin_array();
  for (const auto& upstream : upstreams.distinct()) {
    for (const auto& server : upstream->servers) {
      json.begin_object().member("server", server->text).member("of", name_of(*upstream, upstreams));
      json.member("healthy", server->can_serve());
      json.member("addresses", server->endpoints().size());
      json.member("queue_length", upstream->in_flight->waiting()).end_object();
    }
  }
  json.end_array();
}

}  // namespace

std::string time_text(double seconds_since_epoch) {
  const auto time = static_cast<std::time_t>(seconds_since_epoch);
  std::tm utc{};
  ::gmtime_r(&time, &utc);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

std::string status_json(const StatusSources& sources) {
  JsonWriter json;
  json.begin_object();
  json.member("version", sources.version).member("revision", sources.revision);
  json.member("uptime_seconds", sources.uptime_seconds).member("draining", sources.draining);
  json.member("config", sources.config_source).member("shadow", sources.config->shadow);
  json.key("listen").begin_array();
  for (const std::string& address : sources.listen) json.value(address);
  json.end_array();
  json.key("workers").begin_array();
  for (const double age : sources.worker_ages) {
    json.begin_object().member("last_turn_seconds_ago", age).end_object();
  }
  json.end_array().member("open_connections", sources.open_connections);
  write_reload(json, *sources.reloads);
  write_fleet(json, sources.tasks, sources.fleet);
  write_tables(json, sources);
  write_upstreams(json, *sources.upstreams);
  return json.end_object().take();
}

std::string bans_json(const ratelimit::Bans& bans, ratelimit::Instant now) {
  JsonWriter json;
  json.begin_object().key("bans").begin_array();
  for (const ratelimit::BanEntry& ban : bans.list(now)) {
    json.begin_object().member("client", ban.client).member("limit", ban.limit);
    json.member("seconds_left", seconds(ban.until - now)).member("length_seconds", seconds(ban.length));
    json.member("repetition", ban.repetition).end_object();
  }
  return json.end_array().member("unlisted", bans.stats().unlisted).end_object().take();
}

}  // namespace sekisho::proxy
