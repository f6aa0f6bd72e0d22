#include <fmt/format.h>

#include <array>

#include "config/sections.hpp"
#include "config/spelling.hpp"

namespace sekisho::config {
namespace {

constexpr std::uint64_t most_workers = 64;

void read_workers(MapReader& reader, Config& config) {
  const Tree* tree = reader.find("workers");
  if (tree == nullptr) return;
  config.workers_mark = tree->mark;
  if (tree->kind == Tree::Kind::scalar && tree->text == "auto") return;
  if (tree->kind == Tree::Kind::scalar) {
    const std::string hint = did_you_mean(tree->text, std::array<std::string_view, 1>{"auto"});
    if (!hint.empty()) {
      reader.context().error(tree->mark, fmt::format("workers: \"{}\" is not known{}", tree->text, hint));
      return;
    }
  }
  std::uint64_t count = 0;
  if (reader.count("workers", count, 1, most_workers)) config.workers = static_cast<unsigned>(count);
}

void read_table(Context& context, const Tree& tree, Located<std::uint64_t>& capacity) {
  MapReader reader(context, tree, "table");
  if (reader.count("capacity", capacity.value, 1, 1'000'000'000))
    capacity.mark = reader.value_mark("capacity");
  reader.finish();
}

}  // namespace

void read_config(Context& context, const Tree& tree, Config& config) {
  MapReader reader(context, tree, "the file");
  if (const Tree* listen = reader.find("listen")) read_listen(context, *listen, config.listen);
  read_workers(reader, config);
  reader.flag("shadow", config.shadow);
  if (const Tree* upstream = reader.find("upstream"))
    read_upstream(context, *upstream, config.upstream.emplace());
  if (const Tree* client_ip = reader.find("client_ip")) read_client_ip(context, *client_ip, config.client_ip);
  if (const Tree* hosts = reader.find("hosts")) read_hosts(context, *hosts, config.hosts);
  if (const Tree* probe = reader.find("balancer_probe"))
    read_balancer_probe(context, *probe, config.balancer_probe);
  if (const Tree* limits = reader.find("limits")) read_limits(context, *limits, config.limits);
  if (const Tree* exempt = reader.find("exempt")) config.exempt = read_exclusions(context, *exempt, "exempt");
  if (const Tree* fleet = reader.find("fleet")) read_fleet(context, *fleet, config.fleet);
  if (const Tree* table = reader.find("table")) read_table(context, *table, config.table_capacity);
  if (const Tree* client = reader.find("client")) read_client(context, *client, config.client);
  if (const Tree* routes = reader.find("routes")) read_routes(context, *routes, config);
  if (const Tree* pages = reader.find("error_pages")) read_error_pages(context, *pages, config.error_pages);
  if (const Tree* admin = reader.find("admin")) read_admin(context, *admin, config.admin);
  if (const Tree* metrics = reader.find("metrics")) read_metrics(context, *metrics, config.metrics);
  if (const Tree* log = reader.find("log")) read_log(context, *log, config.log);
  if (const Tree* shutdown = reader.find("shutdown")) read_shutdown(context, *shutdown, config.shutdown);
  reader.finish();
  const bool names_one = reader.key_mark("upstream").line != 0 || !config.routes.empty();
  if (tree.kind == Tree::Kind::map && !names_one) {
    context.error(tree.mark, "the file names no upstream; write upstream: 127.0.0.1:3000, say");
  }
}

}  // namespace sekisho::config
