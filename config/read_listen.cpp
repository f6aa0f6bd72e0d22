#include <fmt/format.h>

#include "config/endpoint.hpp"
#include "config/sections.hpp"

namespace sekisho::config {
namespace {

std::optional<Endpoint> read_address(Context& context, const Tree& tree, std::string_view what) {
  const auto text = scalar_text(context, tree, what, "an address such as 0.0.0.0:8080");
  if (!text) return std::nullopt;
  std::string problem;
  auto endpoint = parse_endpoint(*text, EndpointUse::listen, tree.mark, problem);
  if (!endpoint) context.error(tree.mark, fmt::format("{}: {}", what, problem));
  return endpoint;
}

void read_pair(Context& context, const Tree& tree, std::vector<CertificatePair>& pairs) {
  CertificatePair pair;
  MapReader reader(context, tree, "tls");
  const bool certificate = reader.text("certificate", pair.certificate.value);
  const bool key = reader.text("private_key", pair.private_key.value);
  pair.certificate.mark = reader.value_mark("certificate");
  pair.private_key.mark = reader.value_mark("private_key");
  reader.finish();
  const bool named = reader.key_mark("certificate").line != 0 && reader.key_mark("private_key").line != 0;
  if (tree.kind == Tree::Kind::map && !named)
    context.error(tree.mark, "tls needs both certificate and private_key");
  if (!certificate || !key) return;
  for (Text* path : {&pair.certificate, &pair.private_key}) {
    path->value = (context.directory / path->value).lexically_normal().string();
  }
  pairs.push_back(std::move(pair));
}

std::optional<Listener> read_listener(Context& context, const Tree& tree) {
  Listener listener;
  listener.mark = tree.mark;
  if (tree.kind != Tree::Kind::map) {
    const auto address = read_address(context, tree, "listen");
    if (!address) return std::nullopt;
    listener.address = *address;
  } else {
    MapReader reader(context, tree, "a listener");
    const Tree* address = reader.find("address");
    const auto endpoint = address == nullptr ? std::nullopt : read_address(context, *address, "address");
    if (const Tree* tls = reader.find("tls"); tls != nullptr) {
      if (tls->kind != Tree::Kind::scalar || tls->text != "off") {
        for (const Tree* pair : items_of(*tls)) read_pair(context, *pair, listener.tls);
        if (tls->kind == Tree::Kind::sequence && tls->items.empty())
          context.error(tls->mark, "tls needs at least one pair of certificate and private_key, or is off");
      }
    }
    reader.flag("proxy_protocol", listener.proxy_protocol);
    reader.finish();
    if (reader.key_mark("address").line == 0) context.error(tree.mark, "a listener needs an address");
    if (!endpoint) return std::nullopt;
    listener.address = *endpoint;
  }
  return listener;
}

// YAML's other word for off, which would be read as an address.
bool refused_false(Context& context, const Tree& tree, std::string_view what) {
  if (tree.kind != Tree::Kind::scalar || tree.text != "false") return false;
  context.error(tree.mark, fmt::format("{}: \"false\" is not an address; did you mean off?", what));
  return true;
}

}  // namespace

void read_listen(Context& context, const Tree& tree, std::vector<Listener>& listeners) {
  std::vector<Listener> found;
  for (const Tree* item : items_of(tree)) {
    auto listener = read_listener(context, *item);
    if (!listener) continue;
    for (const Listener& other : found) {
      if (!overlap(other.address, listener->address)) continue;
      const bool same = other.address.text == listener->address.text;
      context.error(
          listener->address.mark,
          fmt::format("{} is listened on already, {}in line {}", listener->address.text,
                      same ? "" : fmt::format("with {} ", other.address.text), other.address.mark.line));
      break;
    }
    found.push_back(std::move(*listener));
  }
  if (tree.kind == Tree::Kind::sequence && tree.items.empty())
    context.error(tree.mark, "listen needs an address");
  if (!found.empty()) listeners = std::move(found);
}

void read_admin(Context& context, const Tree& tree, Admin& admin) {
  admin.mark = tree.mark;
  if (tree.kind == Tree::Kind::scalar && tree.text == "off") {
    admin.listen.reset();
  } else if (tree.kind != Tree::Kind::map) {
    if (refused_false(context, tree, "admin")) return;
    if (auto address = read_address(context, tree, "admin")) admin.listen = std::move(address);
  } else {
    MapReader reader(context, tree, "admin");
    if (const Tree* listen = reader.find("listen"); listen != nullptr) {
      if (auto address = read_address(context, *listen, "listen")) admin.listen = std::move(address);
    }
    reader.text("token", admin.token);
    reader.finish();
    if (admin.token.find_first_of(" \t\r\n") != std::string::npos) {
      context.error(reader.value_mark("token"), "token: a bearer token holds no white space");
    }
  }
}

void read_metrics(Context& context, const Tree& tree, std::optional<Endpoint>& metrics) {
  if (tree.kind == Tree::Kind::scalar && tree.text == "off") {
    metrics.reset();
    return;
  }
  if (refused_false(context, tree, "metrics")) return;
  metrics = read_address(context, tree, "metrics");
}

}  // namespace sekisho::config
