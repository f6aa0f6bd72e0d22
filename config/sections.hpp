// The readers of the file's sections. Each takes what it understands, reports the rest and goes on.
#pragma once

#include <vector>

#include "config/config.hpp"
#include "config/map_reader.hpp"

namespace sekisho::config {

// The whole file, and then what only several keys together can show (cross_checks.cpp).
void read_config(Context& context, const Tree& tree, Config& config);
void check_across(Context& context, const Config& config);

void read_listen(Context& context, const Tree& tree, std::vector<Listener>& listeners);
void read_upstream(Context& context, const Tree& tree, Upstream& upstream);
// After the top level's upstream and client, which the routes begin with.
void read_routes(Context& context, const Tree& tree, Config& config);
// A route's `upstream`; true where it names servers of its own. `may_say_total`: of buffer.total, which
// bounds the process.
bool read_route_upstream(Context& context, const Tree& tree, bool may_say_total, Upstream& upstream);
void read_route_client(Context& context, const Tree& tree, Client& client);
void read_client_ip(Context& context, const Tree& tree, ClientIp& client_ip);
void read_hosts(Context& context, const Tree& tree, Hosts& hosts);
void read_balancer_probe(Context& context, const Tree& tree, BalancerProbe& probe);
void read_limits(Context& context, const Tree& tree, std::vector<Limit>& limits);
void read_client(Context& context, const Tree& tree, Client& client);
void read_fleet(Context& context, const Tree& tree, Fleet& fleet);
void read_error_pages(Context& context, const Tree& tree, std::vector<ErrorPage>& pages);
void read_admin(Context& context, const Tree& tree, Admin& admin);
void read_metrics(Context& context, const Tree& tree, std::optional<Endpoint>& metrics);
void read_log(Context& context, const Tree& tree, Log& log);
void read_shutdown(Context& context, const Tree& tree, Shutdown& shutdown);

// Shared by several sections.
Match read_match(Context& context, const Tree& tree);
std::vector<Match> read_exclusions(Context& context, const Tree& tree, std::string_view what);
void read_action(Context& context, const Tree& tree, Action& action);
void read_ban(Context& context, const Tree& tree, Ban& ban);

// RFC 9110, 5.6.2: what a method or a field name may be made of.
bool is_token(std::string_view text);

}  // namespace sekisho::config
