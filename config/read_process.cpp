// The sections about the process itself: client connections, fleet, error pages, log, shutdown.
#include <fmt/format.h>

#include <algorithm>

#include "config/endpoint.hpp"
#include "config/scalars.hpp"
#include "config/sections.hpp"
#include "config/spelling.hpp"
#include "config/text_list.hpp"

namespace sekisho::config {
namespace {

using namespace std::chrono_literals;

// The `outcome` labels of the metrics; tests/config compares them with proxy/policy/outcome.hpp.
constexpr std::string_view outcomes[] = {"proxied",       "limited",        "banned",        "blocked",
                                         "host_rejected", "bad_request",    "too_large",     "client_timeout",
                                         "queue_full",    "upstream_error", "client_abort",  "draining",
                                         "tunnel",        "probe",          "internal_error"};

void read_sample(Context& context, const Tree& tree, std::map<std::string, double>& sample) {
  if (tree.kind != Tree::Kind::map) {
    context.error(tree.mark,
                  fmt::format("sample must be a mapping such as {{limited: 0.01}}, not {}", kind_name(tree)));
    return;
  }
  for (std::size_t i = 0; i < tree.items.size(); ++i) {
    const Text& outcome = tree.keys[i];
    if (std::find(std::begin(outcomes), std::end(outcomes), outcome.value) == std::end(outcomes)) {
      context.error(outcome.mark, fmt::format("sample: {} is no outcome{}", outcome.value.substr(0, 60),
                                              did_you_mean(outcome.value, outcomes)));
    }
    const auto text = scalar_text(context, tree.items[i], outcome.value, "a share such as 0.01");
    if (!text) continue;
    std::string problem;
    if (const auto share = parse_share(*text, problem)) {
      sample[outcome.value] = *share;
    } else {
      context.error(tree.items[i].mark, fmt::format("{}: {}", outcome.value.substr(0, 60), problem));
    }
  }
}

// By the file's name; of text in the file itself, or a name that says nothing, by how it begins.
std::string type_of_page(std::string_view written, std::string_view body) {
  if (written.starts_with("file:")) {
    if (written.ends_with(".html") || written.ends_with(".htm")) return "text/html; charset=utf-8";
    if (written.ends_with(".json")) return "application/json";
    if (written.ends_with(".txt")) return "text/plain; charset=utf-8";
  }
  return body.starts_with('<') ? "text/html; charset=utf-8" : "text/plain; charset=utf-8";
}

}  // namespace

void read_client(Context& context, const Tree& tree, Client& client) {
  MapReader reader(context, tree, "client");
  if (reader.duration("idle_timeout", client.idle_timeout, 1ms, 24h)) {
    client.idle_timeout_mark = reader.value_mark("idle_timeout");
  }
  reader.duration("header_timeout", client.header_timeout, 1ms, 24h);
  reader.duration("body_timeout", client.body_timeout, 1ms, 24h);
  reader.count("min_body_rate", client.min_body_rate, 0, 1 * GiB);
  reader.duration("send_timeout", client.send_timeout, 1ms, 24h);
  if (reader.size("max_header_bytes", client.max_header_bytes, 1 * KiB, 1 * MiB)) {
    client.max_header_bytes_mark = reader.value_mark("max_header_bytes");
  }
  reader.count("max_headers", client.max_headers, 1, 10'000);
  reader.size("max_body_bytes", client.max_body_bytes, 0);
  if (reader.count("max_connections", client.max_connections, 1, 10'000'000))
    client.max_connections_mark = reader.value_mark("max_connections");
  reader.finish();
}

// What holds before a request is read cannot depend on it.
void read_route_client(Context& context, const Tree& tree, Client& client) {
  read_client(context, tree, client);
  if (tree.kind != Tree::Kind::map) return;
  for (std::size_t i = 0; i < tree.keys.size(); ++i) {
    const std::string& key = tree.keys[i].value;
    for (const std::string_view early :
         {"idle_timeout", "header_timeout", "max_header_bytes", "max_headers", "max_connections"}) {
      if (key != early) continue;
      context.error(
          tree.keys[i].mark,
          fmt::format(
              "{} holds before a request is read, and so for every route: say it in client at the top", key));
    }
  }
}

void read_fleet(Context& context, const Tree& tree, Fleet& fleet) {
  MapReader reader(context, tree, "fleet");
  const Tree* tasks = reader.find("tasks");
  if (tasks != nullptr && tasks->kind == Tree::Kind::scalar && tasks->text.starts_with("dns:")) {
    fleet.dns_name = tasks->text.substr(4);
    if (!is_host_name(fleet.dns_name)) {
      context.error(tasks->mark,
                    fmt::format("tasks: {}: a name alone, without a port, must follow dns:, such as "
                                "dns:app.internal; its addresses are counted",
                                tasks->text));
    }
  } else if (tasks != nullptr) {
    reader.count("tasks", fleet.tasks, 1, 10'000);
  }
  reader.finish();
}

void read_error_pages(Context& context, const Tree& tree, std::vector<ErrorPage>& pages) {
  if (tree.kind != Tree::Kind::map) {
    context.error(tree.mark,
                  fmt::format("error_pages must be a mapping such as {{502: \"file:502.html\"}}, not {}",
                              kind_name(tree)));
    return;
  }
  for (std::size_t i = 0; i < tree.items.size(); ++i) {
    ErrorPage page;
    page.mark = tree.keys[i].mark;
    std::string problem;
    const auto status = parse_count(tree.keys[i].value, problem);
    if (!status || *status < 400 || *status > 599) {
      context.error(page.mark, fmt::format("error_pages: \"{}\" is not a status from 400 to 599",
                                           tree.keys[i].value.substr(0, 60)));
    } else {
      page.status = static_cast<unsigned>(*status);
    }
    const auto text = scalar_text(context, tree.items[i], "an error page", "file:PATH or text");
    if (!text) continue;
    const auto body = text->starts_with("file:")
                          ? context.read_named_file(tree.items[i].mark, text->substr(5), 1 * MiB)
                          : text;
    if (!body) continue;
    if (body->empty()) context.error(tree.items[i].mark, "an error page: it is empty");
    page.body = *body;
    page.content_type = type_of_page(*text, *body);
    pages.push_back(std::move(page));
  }
}

void read_log(Context& context, const Tree& tree, Log& log) {
  MapReader reader(context, tree, "log");
  // A path must look like one, so that a mistyped stdout is not taken for a file.
  if (std::string access; reader.text("access", access)) {
    const bool path = access.find('/') != std::string::npos;
    if (path || check_word(context, reader.value_mark("access"), "access", access,
                           {"stdout", "stderr", "off", "/PATH"})) {
      log.access = access;
    }
  }
  reader.flag("query", log.query);
  if (const Tree* headers = reader.find("headers")) {
    log.headers = read_texts(context, *headers, "headers", ListSources::literal);
    for (const Text& name : log.headers) {
      if (!is_token(name.value))
        context.error(name.mark,
                      fmt::format("headers: \"{}\" is not the name of a header", name.value.substr(0, 60)));
    }
  }
  if (const Tree* sample = reader.find("sample")) read_sample(context, *sample, log.sample);
  if (const auto level = reader.word("level", {"trace", "debug", "info", "warning", "error"}))
    log.level = *level;
  reader.finish();
}

void read_shutdown(Context& context, const Tree& tree, Shutdown& shutdown) {
  MapReader reader(context, tree, "shutdown");
  const bool grace = reader.duration("grace", shutdown.grace, 0s, 1h);
  if (reader.duration("drain", shutdown.drain, 0s, 24h)) shutdown.drain_mark = reader.value_mark("drain");
  reader.finish();
  if (shutdown.grace > shutdown.drain) {
    context.error(reader.value_mark(grace ? "grace" : "drain"),
                  fmt::format("grace ({}) is above drain ({}), within which it counts",
                              duration_text(shutdown.grace), duration_text(shutdown.drain)));
  }
}

}  // namespace sekisho::config
