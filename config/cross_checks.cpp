#include <fmt/format.h>

#include "config/endpoint.hpp"
#include "config/quotas.hpp"
#include "config/scalars.hpp"
#include "config/sections.hpp"
#include "ratelimit/limiter.hpp"

namespace sekisho::config {
namespace {

void check_quotas(Context& context, const Config& config) {
  for (const Limit& limit : config.limits) {
    if (limit.rate && !ratelimit::Limiter::representable(quota_on_one_task(limit, config.fleet))) {
      const Mark mark = limit.burst ? limit.burst->mark : limit.rate->mark;
      context.error(
          mark, fmt::format(
                    "{}: this rate and burst{} are too far apart, too fast or too slow to be counted exactly",
                    limit.name.value, config.fleet.tasks > 1 ? ", shared among the fleet's tasks," : ""));
    } else if (limit.rate && limit.on_status.distinct_path &&
               !ratelimit::Limiter::representable(quota_of_a_path(limit, config.fleet))) {
      context.error(
          limit.rate->mark,
          fmt::format("{}: this rate's period{} is too long for distinct paths to be counted exactly",
                      limit.name.value, config.fleet.tasks > 1 ? ", shared among the fleet's tasks," : ""));
    }
    if (limit.ban && !ratelimit::Limiter::representable(quota_of_strikes(*limit.ban))) {
      context.error(
          limit.ban->mark,
          fmt::format("{}: after and within are too far apart to be counted exactly", limit.name.value));
    }
  }
}

void check_upstream(Context& context, const Upstream& upstream) {
  if (upstream.servers.empty()) return;
  const std::uint64_t connections = upstream.max_connections * upstream.servers.size();
  if (upstream.max_in_flight > connections) {
    context.error(upstream.max_in_flight_mark,
                  fmt::format("max_in_flight: {} requests at once cannot be had over max_connections: {}",
                              upstream.max_in_flight, upstream.max_connections));
  }
}

void check_addresses(Context& context, const Config& config) {
  const auto refuse = [&](const Endpoint& later, const Endpoint& earlier, std::string_view what) {
    if (!overlap(later, earlier)) return;
    const Mark mark = later.mark.line != 0 ? later.mark : earlier.mark;
    context.error(mark, fmt::format("{} is the address of {} too", later.text, what));
  };
  for (const Listener& listener : config.listen) {
    if (config.admin.listen) refuse(*config.admin.listen, listener.address, "listen");
    if (config.metrics) refuse(*config.metrics, listener.address, "listen");
  }
  if (config.metrics && config.admin.listen) refuse(*config.metrics, *config.admin.listen, "admin");
  if (config.metrics && config.metrics->kind == Endpoint::Kind::unix_path) {
    context.error(config.metrics->mark,
                  "metrics is for a scraper outside the task: a socket file cannot be reached from there");
  }
}

void check_routes(Context& context, const Config& config) {
  if (config.routes.empty() || config.upstream) return;
  const Route& last = config.routes.back();
  const Match& match = last.match;
  const bool everything = !match.paths && !match.methods && !match.hosts && !match.networks &&
                          match.headers.empty() && match.except.empty();
  if (!everything) {
    context.error(last.mark, "without an upstream at the top the last route must match everything");
  }
}

}  // namespace

void check_across(Context& context, const Config& config) {
  check_quotas(context, config);
  if (config.upstream) check_upstream(context, *config.upstream);
  for (const Route& route : config.routes) {
    if (route.own_servers) check_upstream(context, route.upstream);
  }
  check_addresses(context, config);
  check_routes(context, config);
}

}  // namespace sekisho::config
