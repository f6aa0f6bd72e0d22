#include "config/warnings.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/ip_address.hpp"
#include "config/match_order.hpp"
#include "config/scalars.hpp"

namespace sekisho::config {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t balancer_header_bytes = 64 * KiB;

bool cached_for_everybody(unsigned status) {
  return status == 404 || status == 405 || status == 410 || status == 414 || (status >= 500 && status <= 504);
}

// Whether requests come through anything but this machine.
bool behind_balancer(const ClientIp& client_ip) {
  return !client_ip.aws_ip_ranges.empty() ||
         std::any_of(client_ip.trusted_proxies.begin(), client_ip.trusted_proxies.end(),
                     [](const Text& proxy) { return proxy.value != "loopback"; });
}

void check_action(const Action& action, bool behind, std::string_view where, Diagnostics& diagnostics) {
  if (action.kind == Action::Kind::close && behind) {
    diagnostics.warning(
        action.mark,
        fmt::format("{}: behind a balancer close reaches the client as 502 and raises its alarms; "
                    "use a status such as 429 or 403",
                    where));
  }
  if (action.kind == Action::Kind::status && cached_for_everybody(action.status)) {
    diagnostics.warning(
        action.mark, fmt::format("{}: CloudFront caches {} and serves it to everybody, though one client was "
                                 "refused; use 403, 421 or 429",
                                 where, action.status));
  }
}

void check_timeouts(const Config& config, Diagnostics& diagnostics) {
  if (config.client.idle_timeout <= 60s) {
    diagnostics.warning(
        config.client.idle_timeout_mark,
        fmt::format(
            "client.idle_timeout: {} is not above the 60s that an ALB keeps idle connections: now and then "
            "it will send a request into a closing one and answer 502",
            duration_text(config.client.idle_timeout)));
  }
  if (config.shutdown.drain >= 30s) {
    diagnostics.warning(
        config.shutdown.drain_mark,
        fmt::format(
            "shutdown.drain: {} is not below the 30s of ECS's stopTimeout, after which the task is killed",
            duration_text(config.shutdown.drain)));
  }
}

// `top`: what a route began with, and what was told of it already; null for the top level itself.
void check_upstream(const Upstream& upstream, const Upstream* top, Diagnostics& diagnostics) {
  if (upstream.idle_timeout >= 20s && (top == nullptr || top->idle_timeout != upstream.idle_timeout)) {
    diagnostics.warning(
        upstream.idle_timeout_mark,
        fmt::format(
            "upstream.idle_timeout: {} is not below puma's persistent_timeout of 20s: requests will meet "
            "connections that puma is closing",
            duration_text(upstream.idle_timeout)));
  }
  if (upstream.max_in_flight != 0 || (top != nullptr && top->max_in_flight == 0)) return;
  const Mark written = upstream.max_in_flight_mark;
  diagnostics.warning(written.line != 0 ? written : upstream.mark,
                      "max_in_flight is 0: requests beyond puma's threads wait inside puma, unseen and "
                      "unbounded; set it to workers "
                      "x threads");
}

void check_trust(const ClientIp& client_ip, Diagnostics& diagnostics) {
  for (const Text& proxy : client_ip.trusted_proxies) {
    if (proxy.value != "private") continue;
    diagnostics.warning(
        proxy.mark.line != 0 ? proxy.mark : client_ip.mark,
        "trusted_proxies: private trusts every private address to say who the client is; name the balancer's "
        "subnets instead");
  }
}

void check_listeners(const Config& config, Diagnostics& diagnostics) {
  const ClientIp& client_ip = config.client_ip;
  if (!client_ip.trusted_proxies.empty() || !client_ip.aws_ip_ranges.empty()) return;
  for (const Listener& listener : config.listen) {
    if (!listener.proxy_protocol) continue;
    diagnostics.warning(listener.address.mark,
                        fmt::format("{}: with proxy_protocol every connection is refused, since "
                                    "client_ip.trusted_proxies is empty",
                                    listener.address.text));
  }
}

void check_routes(const std::vector<Route>& routes, Diagnostics& diagnostics) {
  std::vector<MatchOrder> before;
  before.reserve(routes.size());
  for (std::size_t i = 0; i < routes.size(); ++i) {
    MatchOrder order(routes[i].match);
    for (std::size_t j = 0; j < i; ++j) {
      if (!before[j].covers(order)) continue;
      diagnostics.warning(routes[i].mark,
                          fmt::format("route {} is never reached: route {} in line {} matches "
                                      "whatever it matches, and the first that matches counts",
                                      i + 1, j + 1, routes[j].mark.line));
      break;
    }
    before.push_back(std::move(order));
  }
}

void check_error_pages(const std::vector<ErrorPage>& pages, Diagnostics& diagnostics) {
  for (const ErrorPage& page : pages) {
    if (!page.body.starts_with('/') || page.body.find_first_of(" \n<") != std::string::npos) continue;
    diagnostics.warning(page.mark,
                        fmt::format("error_pages: the page for {} is the text {}; a file is "
                                    "named by file:{}",
                                    page.status, page.body.substr(0, 60), page.body.substr(0, 60)));
  }
}

void check_admin(const Admin& admin, Diagnostics& diagnostics) {
  if (!admin.listen) {
    diagnostics.warning(admin.mark,
                        "admin is off: status, reload, bans and healthcheck cannot reach this process");
    return;
  }
  if (admin.listen->kind != Endpoint::Kind::ip || !admin.token.empty()) return;
  const auto address = IpAddress::parse(admin.listen->host);
  const auto loopback4 = Network::parse("127.0.0.0/8");
  const auto loopback6 = Network::parse("::1/128");
  if (address && !loopback4->contains(*address) && !loopback6->contains(*address)) {
    diagnostics.warning(
        admin.listen->mark,
        fmt::format("admin: {} is reachable from other machines and has no token", admin.listen->text));
  }
}

}  // namespace

void add_warnings(const Config& config, Diagnostics& diagnostics) {
  const bool behind = behind_balancer(config.client_ip);
  check_timeouts(config, diagnostics);
  const Upstream* top = config.upstream ? &*config.upstream : nullptr;
  if (top != nullptr) check_upstream(*top, nullptr, diagnostics);
  for (const Route& route : config.routes) {
    if (route.own_servers) check_upstream(route.upstream, top, diagnostics);
  }
  check_trust(config.client_ip, diagnostics);
  check_listeners(config, diagnostics);
  check_routes(config.routes, diagnostics);
  check_error_pages(config.error_pages, diagnostics);
  check_admin(config.admin, diagnostics);
  if (config.client.max_header_bytes < balancer_header_bytes) {
    diagnostics.warning(config.client.max_header_bytes_mark,
                        fmt::format("client.max_header_bytes: {} is below the 64KiB that an ALB passes on",
                                    size_text(config.client.max_header_bytes)));
  }
  check_action(config.hosts.action, behind, "hosts.action", diagnostics);
  for (const Limit& limit : config.limits) {
    if (limit.action)
      check_action(*limit.action, behind, fmt::format("limit {}", limit.name.value), diagnostics);
  }
  add_limit_warnings(config, diagnostics);
}

}  // namespace sekisho::config
