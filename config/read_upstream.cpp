#include <fmt/format.h>

#include "config/endpoint.hpp"
#include "config/ip_address.hpp"
#include "config/sections.hpp"

namespace sekisho::config {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t most_connections = 1'000'000;

void read_servers(Context& context, const Tree& tree, std::string_view what, std::vector<Endpoint>& servers) {
  for (const Tree* item : items_of(tree)) {
    const auto text = scalar_text(context, *item, what, "an address such as 127.0.0.1:3000");
    if (!text) continue;
    std::string problem;
    auto server = parse_endpoint(*text, EndpointUse::connect, item->mark, problem);
    if (!server) {
      context.error(item->mark, fmt::format("{}: {}", what, problem));
      continue;
    }
    for (const Endpoint& other : servers) {
      if (other.text == server->text) {
        context.error(item->mark,
                      fmt::format("{} is named already, in line {}", server->text, other.mark.line));
      }
    }
    servers.push_back(std::move(*server));
  }
  if (tree.kind == Tree::Kind::sequence && tree.items.empty()) {
    context.error(tree.mark, fmt::format("{} needs at least one server", what));
  }
  if (servers.size() > most_servers) {
    context.error(servers[most_servers].mark, fmt::format("{}: at most {} servers", what, most_servers));
  }
}

bool is_server_name(std::string_view name) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  constexpr std::size_t longest = 253;
  const bool address = IpAddress::parse(name).has_value();
  return address || (!name.empty() && name.size() <= longest &&
                     name.find_first_not_of(letters) == std::string_view::npos);
}

void read_tls(Context& context, const Tree& tree, UpstreamTls& tls) {
  tls = UpstreamTls{};
  tls.mark = tree.mark;
  if (tree.kind == Tree::Kind::scalar && tree.text == "off") return;
  if (tree.kind != Tree::Kind::map) {
    context.error(tree.mark, "tls must be off or a mapping such as {verify: true}");
    return;
  }
  tls.enabled = true;
  MapReader reader(context, tree, "tls");
  reader.flag("verify", tls.verify);
  tls.ca.mark = reader.value_mark("ca");
  if (reader.text("ca", tls.ca.value))
    tls.ca.value = (context.directory / tls.ca.value).lexically_normal().string();
  tls.server_name.mark = reader.value_mark("server_name");
  if (reader.text("server_name", tls.server_name.value) && !is_server_name(tls.server_name.value)) {
    context.error(tls.server_name.mark, "server_name must be a name such as app.internal, without a port");
  }
  reader.finish();
}

void read_queue(Context& context, const Tree& tree, Queue& queue) {
  MapReader reader(context, tree, "queue");
  reader.count("size", queue.size, 0, most_connections);
  reader.duration("timeout", queue.timeout, 1ms, 1h);
  reader.finish();
}

void read_health_check(Context& context, const Tree& tree, HealthCheck& check) {
  if (tree.kind != Tree::Kind::map) {
    const auto text = scalar_text(context, tree, "health_check", "connect or a mapping such as {path: /up}");
    if (text && text->starts_with('/')) {
      context.error(tree.mark, fmt::format("health_check: a path is said in a mapping: {{path: {}}}",
                                           text->substr(0, 60)));
      return;
    }
    if (text && check_word(context, tree.mark, "health_check", *text, {"connect"})) check = HealthCheck{};
    return;
  }
  check = HealthCheck{};
  check.connect = false;
  MapReader reader(context, tree, "health_check");
  if (reader.text("path", check.path) && !check.path.starts_with('/')) {
    context.error(reader.value_mark("path"), "path must begin with /");
  }
  reader.duration("interval", check.interval, 100ms, 1h);
  reader.duration("timeout", check.timeout, 10ms, 1h);
  reader.count("unhealthy_after", check.unhealthy_after, 1, 1000);
  reader.count("healthy_after", check.healthy_after, 1, 1000);
  reader.finish();
  if (reader.key_mark("path").line == 0)
    context.error(tree.mark, "health_check needs a path, or is the word connect");
}

void read_buffer(Context& context, const Tree& tree, bool may_say_total, Buffers& buffer) {
  MapReader reader(context, tree, "buffer");
  reader.size("request", buffer.request, 0, 16 * GiB);
  reader.size("response", buffer.response, 16 * KiB, 16 * GiB);
  const bool total = reader.size("total", buffer.total, 1 * MiB, 1024 * GiB);
  reader.finish();
  if (total && !may_say_total) {
    context.error(reader.key_mark("total"),
                  "buffer.total bounds the whole process: say it in the upstream at the top");
  }
  const Mark mark = total ? reader.value_mark("total") : tree.mark;
  if (buffer.request > buffer.total)
    context.error(mark, "buffer.request is above buffer.total, which bounds it");
  if (buffer.response > buffer.total)
    context.error(mark, "buffer.response is above buffer.total, which bounds it");
}

// The keys of a mapping; `servers` among them replace those that `upstream` has.
void read_keys(MapReader& reader, bool may_say_total, Upstream& upstream) {
  Context& context = reader.context();
  if (const Tree* servers = reader.find("servers")) {
    upstream.servers.clear();
    read_servers(context, *servers, "servers", upstream.servers);
  }
  if (const auto balance = reader.word("balance", {"least_requests"})) upstream.balance = *balance;
  if (const Tree* tls = reader.find("tls")) read_tls(context, *tls, upstream.tls);
  reader.duration("connect_timeout", upstream.connect_timeout, 1ms, 1h);
  reader.duration("response_timeout", upstream.response_timeout, 1ms, 24h);
  reader.duration("tunnel_timeout", upstream.tunnel_timeout, 1ms);
  if (reader.duration("idle_timeout", upstream.idle_timeout, 1ms, 24h)) {
    upstream.idle_timeout_mark = reader.value_mark("idle_timeout");
  }
  reader.count("max_connections", upstream.max_connections, 1, most_connections);
  if (reader.count("max_in_flight", upstream.max_in_flight, 0, most_connections)) {
    upstream.max_in_flight_mark = reader.value_mark("max_in_flight");
  }
  if (const Tree* queue = reader.find("queue")) read_queue(context, *queue, upstream.queue);
  reader.count("retries", upstream.retries, 0, 10);
  if (const Tree* check = reader.find("health_check")) {
    read_health_check(context, *check, upstream.health_check);
  }
  if (const Tree* buffer = reader.find("buffer"))
    read_buffer(context, *buffer, may_say_total, upstream.buffer);
}

}  // namespace

void read_upstream(Context& context, const Tree& tree, Upstream& upstream) {
  upstream.mark = tree.mark;
  if (tree.kind != Tree::Kind::map) {
    read_servers(context, tree, "upstream", upstream.servers);
    return;
  }
  MapReader reader(context, tree, "upstream");
  read_keys(reader, true, upstream);
  reader.finish();
  if (reader.key_mark("servers").line == 0) {
    context.error(tree.mark, "upstream needs servers, such as servers: [127.0.0.1:3000]");
  }
}

bool read_route_upstream(Context& context, const Tree& tree, bool may_say_total, Upstream& upstream) {
  upstream.mark = tree.mark;
  if (tree.kind != Tree::Kind::map) {
    upstream.servers.clear();
    read_servers(context, tree, "upstream", upstream.servers);
    return true;
  }
  MapReader reader(context, tree, "upstream");
  read_keys(reader, may_say_total, upstream);
  reader.finish();
  if (reader.key_mark("servers").line != 0) return true;
  for (const char* key :
       {"balance", "tls", "idle_timeout", "max_connections", "max_in_flight", "queue", "health_check"}) {
    const Mark mark = reader.key_mark(key);
    if (mark.line == 0) continue;
    context.error(mark,
                  fmt::format("{} belongs to the servers, which this route shares with the upstream at the "
                              "top: say it there, or name servers here",
                              key));
  }
  return false;
}

}  // namespace sekisho::config
