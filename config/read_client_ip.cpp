#include <fmt/format.h>

#include "config/sections.hpp"
#include "config/text_list.hpp"

namespace sekisho::config {
namespace {

void read_ranges(Context& context, const Tree& tree, std::vector<AwsIpRanges>& ranges) {
  AwsIpRanges entry;
  MapReader reader(context, tree, "a mapping in trusted_proxies");
  const bool named = reader.text("aws_ip_ranges", entry.path.value);
  entry.path.mark = reader.value_mark("aws_ip_ranges");
  reader.text("service", entry.service);
  reader.finish();
  if (reader.key_mark("aws_ip_ranges").line == 0) {
    context.error(tree.mark,
                  "a mapping in trusted_proxies needs aws_ip_ranges, the path of AWS's ip-ranges.json");
  }
  if (!named) return;
  entry.path.value = (context.directory / entry.path.value).string();
  ranges.push_back(std::move(entry));
}

void read_prefix(Context& context, const Tree& tree, std::string_view what, unsigned& ipv4, unsigned& ipv6) {
  MapReader reader(context, tree, what);
  std::uint64_t bits4 = ipv4;
  std::uint64_t bits6 = ipv6;
  reader.count("ipv4", bits4, 1, 32);
  reader.count("ipv6", bits6, 1, 128);
  reader.finish();
  ipv4 = static_cast<unsigned>(bits4);
  ipv6 = static_cast<unsigned>(bits6);
}

// Every name is let in where none is named. Who names a file or a variable means to name some.
void read_names(Context& context, const Tree& tree, std::string_view what, Texts& names) {
  const std::size_t problems = context.diagnostics.all().size();
  names = read_texts(context, tree, what, ListSources::expanded);
  const bool nothing_written = tree.kind == Tree::Kind::sequence && tree.items.empty();
  if (names.empty() && !nothing_written && context.diagnostics.all().size() == problems) {
    context.error(tree.mark, fmt::format("{} names no host: every name would be let in", what));
  }
}

}  // namespace

void read_client_ip(Context& context, const Tree& tree, ClientIp& client_ip) {
  client_ip.mark = tree.mark;
  MapReader reader(context, tree, "client_ip");
  if (const Tree* proxies = reader.find("trusted_proxies")) {
    client_ip.trusted_proxies.clear();
    for (const Tree* item : items_of(*proxies)) {
      if (item->kind == Tree::Kind::map) {
        read_ranges(context, *item, client_ip.aws_ip_ranges);
      } else {
        append_texts(context, *item, "trusted_proxies", ListSources::expanded, client_ip.trusted_proxies);
      }
    }
  }
  if (reader.text("header", client_ip.header.value)) {
    client_ip.header.mark = reader.value_mark("header");
    if (!is_token(client_ip.header.value))
      context.error(client_ip.header.mark, "header is not the name of a header");
  }
  if (const Tree* prefix = reader.find("prefix")) {
    read_prefix(context, *prefix, "prefix", client_ip.prefix_ipv4, client_ip.prefix_ipv6);
  }
  if (const Tree* network = reader.find("network")) {
    read_prefix(context, *network, "network", client_ip.network_ipv4, client_ip.network_ipv6);
  }
  reader.finish();
  if (client_ip.network_ipv4 > client_ip.prefix_ipv4 || client_ip.network_ipv6 > client_ip.prefix_ipv6) {
    const Mark mark = reader.value_mark(reader.key_mark("network").line != 0 ? "network" : "prefix");
    context.error(mark, "network is narrower than prefix: a client's network must hold the client");
  }
}

void read_hosts(Context& context, const Tree& tree, Hosts& hosts) {
  hosts.mark = tree.mark;
  if (tree.kind != Tree::Kind::map) {
    read_names(context, tree, "hosts", hosts.allow);
    return;
  }
  MapReader reader(context, tree, "hosts");
  if (const Tree* allow = reader.find("allow")) {
    read_names(context, *allow, "allow", hosts.allow);
  }
  if (const auto literals = reader.word("ip_literals", {"reject", "allow"})) {
    hosts.reject_ip_literals = *literals == "reject";
  }
  if (const Tree* action = reader.find("action")) read_action(context, *action, hosts.action);
  reader.finish();
}

void read_balancer_probe(Context& context, const Tree& tree, BalancerProbe& probe) {
  MapReader reader(context, tree, "balancer_probe");
  if (reader.text("path", probe.path.value)) {
    probe.path.mark = reader.value_mark("path");
    if (!probe.path.value.starts_with('/') || probe.path.value.find_first_of("?# ") != std::string::npos) {
      context.error(probe.path.mark, "path must begin with / and hold no query");
    }
  }
  reader.flag("require_upstream", probe.require_upstream);
  reader.finish();
}

}  // namespace sekisho::config
