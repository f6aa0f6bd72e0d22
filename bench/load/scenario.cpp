#include "bench/load/scenario.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "bench/load/bounds.hpp"
#include "bench/load/class_values.hpp"
#include "config/endpoint.hpp"
#include "config/map_reader.hpp"
#include "config/scalars.hpp"
#include "config/source.hpp"
#include "config/text_list.hpp"
#include "config/tree.hpp"

namespace sekisho::load {
namespace {

using config::Context;
using config::MapReader;
using config::Tree;

// The value that `parse` makes of a scalar, else nullopt after a report.
template <class Parse>
auto parsed(MapReader& reader, std::string_view key, std::string_view expected, Parse parse)
    -> decltype(parse(std::string_view(), std::declval<std::string&>())) {
  const Tree* tree = reader.find(key);
  if (tree == nullptr) return std::nullopt;
  const auto text = config::scalar_text(reader.context(), *tree, key, expected);
  if (!text) return std::nullopt;
  std::string problem;
  auto value = parse(std::string_view(*text), problem);
  if (!value) reader.context().error(tree->mark, fmt::format("{}: {}", key, problem));
  return value;
}

void read_list(MapReader& reader, std::string_view key, std::vector<std::string>& target) {
  const Tree* tree = reader.find(key);
  if (tree == nullptr) return;
  target.clear();
  for (const config::Text& text :
       config::read_texts(reader.context(), *tree, key, config::ListSources::literal))
    target.push_back(text.value);
}

bool is_written(const MapReader& reader, std::string_view key) {
  return reader.key_mark(key).line != 0;
}

// What a class says on top of what `clients` and `written` hold already, which is what `defaults` said.
void read_class(MapReader& reader, ClientClass& clients, Written& written) {
  reader.count("connections", clients.connections, 1, most_connections);
  reader.count("threads", clients.threads, 1, most_threads);
  if (const auto rate = parsed(reader, "rate", "requests a second, such as 1000 or 200/min", parse_load_rate))
    clients.rate = *rate;
  reader.duration("think", clients.think, Duration::zero());
  reader.flag("think_random", clients.think_random);
  reader.duration("start", clients.start, Duration::zero());
  reader.count("pipeline", clients.pipeline, 1, most_pipeline);
  reader.flag("fresh", written.fresh);
  reader.count("keepalive", clients.keepalive, 1);
  reader.count("requests", clients.requests, 1);
  reader.text("method", clients.method);
  read_list(reader, "path", clients.paths);
  read_list(reader, "header", clients.headers);
  reader.text("host", clients.host);
  reader.size("body", clients.body, 0, most_body);
  reader.flag("chunked", clients.chunked);
  reader.size("read_rate", clients.read_rate, 1);
  reader.size("send_rate", clients.send_rate, 1);
  reader.duration("timeout", clients.timeout, std::chrono::milliseconds(1));
  if (const auto population = parsed(reader, "clients", "a population such as zipf:10000", parse_population))
    clients.clients = *population;
  if (const auto ip = reader.word("ip", {"v4", "v6"})) written.ip_version = *ip;
  if (const auto base = parsed(reader, "client_base", "an address", parse_base)) written.base = *base;

  written.method = written.method || is_written(reader, "method");
  written.keepalive = written.keepalive || is_written(reader, "keepalive");
  written.pipeline = written.pipeline || is_written(reader, "pipeline");
  written.ip = written.ip || is_written(reader, "ip");
  written.client_base = written.client_base || is_written(reader, "client_base");
}

void add_class(Context& context, const Tree& item, const ClientClass& defaults, Written written, Plan& plan) {
  MapReader reader(context, item, "a class");
  ClientClass clients = defaults;
  clients.name = fmt::format("class{}", plan.classes.size() + 1);
  reader.text("name", clients.name);
  read_class(reader, clients, written);
  reader.finish();
  for (const ClassProblem& problem : complete_class(clients, written)) {
    // What the defaults said stands elsewhere; the class is where it does not fit.
    const config::Mark mark = reader.value_mark(problem.key);
    context.error(mark.line != 0 ? mark : item.mark, fmt::format("{}: {}", problem.key, problem.message));
  }
  const bool taken = std::any_of(plan.classes.begin(), plan.classes.end(),
                                 [&](const ClientClass& other) { return other.name == clients.name; });
  if (taken) context.error(item.mark, fmt::format("two classes have the name {}", clients.name));
  plan.classes.push_back(std::move(clients));
}

void read_classes(Context& context, const Tree& tree, const ClientClass& defaults, const Written& written,
                  Plan& plan) {
  if (tree.kind != Tree::Kind::sequence) {
    context.error(tree.mark, fmt::format("classes must be a list, not {}", config::kind_name(tree)));
    return;
  }
  for (const Tree& item : tree.items) add_class(context, item, defaults, written, plan);
  if (tree.items.empty()) context.error(tree.mark, "classes is empty");
}

}  // namespace

void read_scenario_text(std::string_view text, const std::string& name, Plan& plan,
                        config::Diagnostics& diagnostics) {
  const std::uint16_t file = diagnostics.add_file(name);
  const auto tree =
      config::parse_tree(text, file, diagnostics, "the scenario is empty; it must have classes at least");
  if (!tree) return;
  Context context{diagnostics, {}};
  MapReader reader(context, *tree, "the scenario");
  if (tree->kind != Tree::Kind::map) return;
  const auto endpoint =
      parsed(reader, "target", "HOST:PORT, [IPv6]:PORT or unix:PATH",
             [](std::string_view value, std::string& problem) {
               return config::parse_endpoint(value, config::EndpointUse::connect, {}, problem);
             });
  if (endpoint && !plan.target) plan.target = *endpoint;  // the command line's wins, and was there first
  Plan said;
  if (reader.duration("duration", said.duration, std::chrono::milliseconds(1)) && !plan.duration_given) {
    plan.duration = said.duration;
    plan.duration_given = true;
  }
  if (reader.duration("warmup", said.warmup, Duration::zero()) && !plan.warmup_given) {
    plan.warmup = said.warmup;
    plan.warmup_given = true;
  }
  if (reader.count("threads", said.threads, 1, most_threads) && !plan.threads_given)
    plan.threads = said.threads;
  if (reader.count("seed", said.seed, 0) && !plan.seed_given) plan.seed = said.seed;

  ClientClass defaults;
  Written written;
  if (const Tree* value = reader.find("defaults")) {
    MapReader section(context, *value, "defaults");
    read_class(section, defaults, written);
    section.finish();
  }
  if (const Tree* classes = reader.find("classes")) {
    read_classes(context, *classes, defaults, written, plan);
  } else if (reader.key_mark("classes").line == 0) {
    context.error(tree->mark, "the scenario needs classes");
  }
  reader.finish();
}

void read_class_text(std::string_view text, const std::string& name, const ClientClass& defaults,
                     const Written& written, Plan& plan, config::Diagnostics& diagnostics) {
  constexpr std::string_view form = "write {name: users, connections: 50, think: 2s}";
  const std::uint16_t file = diagnostics.add_file(name);
  const auto tree = config::parse_tree(text, file, diagnostics, fmt::format("the class is empty; {}", form));
  if (!tree) return;
  Context context{diagnostics, {}};
  if (tree->kind == Tree::Kind::map) {
    add_class(context, *tree, defaults, written, plan);
  } else {
    context.error(tree->mark,
                  fmt::format("a class must be a mapping, not {}; {}", config::kind_name(*tree), form));
  }
}

void read_scenario(const std::string& source, Plan& plan, config::Diagnostics& diagnostics) {
  std::string problem;
  const auto text = config::read_source(source, config::max_document_bytes, problem);
  if (text) {
    read_scenario_text(*text, source, plan, diagnostics);
  } else {
    diagnostics.error({diagnostics.add_file(source), 0, 0}, problem);
  }
}

}  // namespace sekisho::load
