#include "bench/load/command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <limits>
#include <string_view>
#include <vector>

#include "bench/load/bounds.hpp"
#include "bench/load/class_values.hpp"
#include "bench/load/scenario.hpp"
#include "config/diagnostics.hpp"
#include "config/endpoint.hpp"
#include "config/scalars.hpp"
#include "config/spelling.hpp"

namespace sekisho::load {
namespace {

constexpr const char* footer =
    "Examples:\n"
    "  sekisho-load --connections 64 --path /bytes?n=1024 127.0.0.1:8080\n"
    "  sekisho-load --rate 5000 --clients zipf:100000 --host www.example.jp 127.0.0.1:8080\n"
    "  sekisho-load --class '{name: users, connections: 50, think: 2s, clients: per-connection}' \\\n"
    "    --class '{name: flood, pipeline: 16, clients: uniform:400000}' --host localhost 127.0.0.1:8080\n"
    "  sekisho-load -f bench/load/scenario_attack.yaml\n"
    "docs/load.md has the keys of a class and of a scenario file, and says what is measured how.";

constexpr const char* target_forms = "HOST:PORT, [IPv6]:PORT or unix:PATH";

struct Line {
  std::string target, file;
  std::vector<std::string> classes;
  ClientClass clients;
  Written written;
};

// An option whose text `parse` turns into a value, or says what is wrong with.
template <class Target, class Parse>
CLI::Option* add(CLI::App& app, const char* name, Target& target, const char* type, const char* help,
                 Parse parse) {
  return app
      .add_option_function<std::string>(
          name,
          [&target, name, parse](const std::string& text) {
            std::string problem;
            const auto value = parse(text, problem);
            if (!value) throw CLI::ValidationError(name, problem);
            target = *value;
          },
          help)
      ->type_name(type);
}

CLI::Option* add_count(CLI::App& app, const char* name, std::uint64_t& target, std::uint64_t most,
                       const char* help) {
  return add(app, name, target, "N", help, [most](std::string_view text, std::string& problem) {
    auto value = config::parse_count(text, problem);
    if (value && (*value == 0 || *value > most)) {
      problem = fmt::format("{} is out of range; from 1 to {}", *value, most);
      value.reset();
    }
    return value;
  });
}

CLI::Option* add_duration(CLI::App& app, const char* name, Duration& target, Duration least,
                          const char* help) {
  return add(app, name, target, "D", help, [least](std::string_view text, std::string& problem) {
    auto value = config::parse_duration(text, problem);
    if (value && *value < least) {
      problem = fmt::format("{} is too short; at least {}", text, config::duration_text(least));
      value.reset();
    }
    return value;
  });
}

CLI::Option* add_size(CLI::App& app, const char* name, std::uint64_t& target, std::uint64_t most,
                      const char* help) {
  return add(app, name, target, "BYTES", help, [most](std::string_view text, std::string& problem) {
    auto value = config::parse_size(text, problem);
    if (value && (*value == 0 || *value > most)) {
      problem = fmt::format("{} is out of range; from 1 to {}", text, config::size_text(most));
      value.reset();
    }
    return value;
  });
}

void add_run_options(CLI::App& app, Plan& plan) {
  constexpr auto shortest = std::chrono::milliseconds(1);
  add_duration(app, "--duration", plan.duration, shortest, "how long to measure (10s)");
  add_duration(app, "--warmup", plan.warmup, Duration::zero(), "how long to run before, uncounted (1s)");
  add_count(app, "--threads", plan.threads, most_threads, "threads of each class (1)");
  add(app, "--seed", plan.seed, "N", "of all that is random (1)", config::parse_count);
  app.add_option("--json", plan.json, "write the results there; - is standard output")->type_name("FILE");
  app.add_flag("--quiet", plan.quiet, "neither progress nor a table");
}

// The options that say what the one class of the command line does, or what all of --class do that do not
// say otherwise.
std::vector<CLI::Option*> add_class_options(CLI::App& app, Line& line) {
  constexpr std::uint64_t unbounded = std::numeric_limits<std::uint32_t>::max();
  ClientClass& clients = line.clients;
  Written& written = line.written;
  std::vector<CLI::Option*> options{
      app.add_option("--name", clients.name, "of the class, in what is printed (main)")->type_name("NAME"),
      add_count(app, "--connections", clients.connections, most_connections, "how many clients at once (32)"),
      add(app, "--rate", clients.rate, "R",
          "an open loop: R requests a second (or 200/min) over all connections, whatever the answers do; "
          "latency counts "
          "from when a request was due. Absent: each connection asks again once it is answered",
          parse_load_rate),
      add_duration(app, "--think", clients.think, Duration::zero(), "pause after each answer"),
      app.add_flag("--think-random", clients.think_random,
                   "pauses are exponentially distributed about --think"),
      add_duration(app, "--start", clients.start, Duration::zero(), "begin that much later than the run"),
      add_count(app, "--pipeline", clients.pipeline, most_pipeline, "requests written together (1)"),
      app.add_flag("--fresh", written.fresh, "a new connection for each request"),
      add_count(app, "--keepalive", clients.keepalive, unbounded, "requests a connection, then a new one"),
      add_count(app, "--requests", clients.requests, unbounded, "stop after so many"),
      app.add_option("--method", clients.method, "the method (GET; with a body, POST)")->type_name("METHOD"),
      app.add_option("--path", clients.paths, "what to ask for (/); several are taken in turn")
          ->type_name("PATH")
          ->allow_extra_args(false),
      app.add_option("--header", clients.headers, "a field of the requests; may be repeated")
          ->type_name("'NAME: VALUE'")
          ->allow_extra_args(false),
      app.add_option("--host", clients.host, "what Host says (the target)")->type_name("HOST"),
      add_size(app, "--body", clients.body, most_body, "the size of the body"),
      app.add_flag("--chunked", clients.chunked, "send the body in chunks"),
      add_size(app, "--read-rate", clients.read_rate, config::GiB,
               "a slow reader: bytes a second and connection"),
      add_size(app, "--send-rate", clients.send_rate, config::GiB,
               "a slow sender: bytes a second and connection"),
      add_duration(app, "--timeout", clients.timeout, std::chrono::milliseconds(1),
                   "give a request up after that long without a byte (10s)"),
      add(app, "--clients", clients.clients, "POPULATION",
          "the addresses in X-Forwarded-For: one, uniform:N, zipf:N, sequential:N, per-connection. Absent: "
          "no such field",
          parse_population),
      add(app, "--ip", written.ip_version, "v4|v6", "the population's family (v4)",
          [](std::string_view text, std::string& problem) {
            if (text == "v4" || text == "v6") return std::optional(std::string(text));
            problem = fmt::format("\"{}\" is neither v4 nor v6", text);
            return std::optional<std::string>();
          }),
      add(app, "--client-base", written.base, "ADDRESS",
          "the population's first address (240.0.0.1, 2001:db8::1)",
          [](std::string_view text, std::string& problem) {
            const auto address = parse_base(text, problem);
            return address ? std::optional(address) : std::nullopt;
          }),
  };
  return options;
}

std::string usage_problem(const CLI::App* app, const CLI::Error& problem) {
  return fmt::format("sekisho-load: {}\nRun {} --help to see what there is.\n", problem.what(),
                     app->get_name());
}

// A long option that is not known, with the nearest one that is.
std::string unknown_option(const CLI::App& app, const std::string& name) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& known : option->get_lnames()) names.push_back("--" + known);
  }
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  return fmt::format("there is no option {}{}", name,
                     config::did_you_mean(name.substr(0, name.find('=')), candidates));
}

int say(std::string_view problem) {
  fmt::print(stderr, "sekisho-load: {}\n", problem);
  return bad_usage;
}

std::string dashed(std::string key) {
  std::replace(key.begin(), key.end(), '_', '-');
  return "--" + key;
}

// The class of the options, or those of --class or of the file.
std::optional<int> add_classes(Line& line, Plan& plan) {
  if (line.file.empty() && line.classes.empty()) {
    const auto problems = complete_class(line.clients, line.written);
    for (const ClassProblem& problem : problems)
      say(fmt::format("{} {}", dashed(problem.key), problem.message));
    plan.classes.push_back(line.clients);
    return problems.empty() ? std::nullopt : std::optional(bad_usage);
  }
  config::Diagnostics diagnostics;
  if (!line.file.empty()) read_scenario(line.file, plan, diagnostics);
  for (std::size_t i = 0; i < line.classes.size(); ++i) {
    const std::string name = line.classes.size() == 1 ? "--class" : fmt::format("--class #{}", i + 1);
    read_class_text(line.classes[i], name, line.clients, line.written, plan, diagnostics);
  }
  for (const config::Diagnostic& problem : diagnostics.sorted())
    fmt::print(stderr, "{}\n", diagnostics.format(problem));
  return diagnostics.has_errors() ? std::optional(bad_usage) : std::nullopt;
}

}  // namespace

std::optional<int> read_command_line(int argc, const char* const* argv, Plan& plan) {
  CLI::App app("Load for an HTTP/1.1 proxy or server, and how it was answered", "sekisho-load");
  app.set_version_flag("--version", std::string("sekisho-load ") + SEKISHO_VERSION);
  app.footer(footer);
  app.failure_message(usage_problem);
  app.allow_extras();
  Line line;
  app.add_option("TARGET", line.target, target_forms);
  app.add_option("-f,--file", line.file, "a scenario of several classes, in YAML")->type_name("SCENARIO");
  CLI::Option* const classes =
      app.add_option(
             "--class", line.classes,
             "a class of clients with the keys of a scenario's, such as '{name: flood, pipeline: 16}'; "
             "may be repeated. The options of a class, below, are then the defaults of all")
          ->type_name("'{KEY: VALUE, ...}'")
          ->allow_extra_args(false);
  add_run_options(app, plan);
  std::vector<CLI::Option*> of_class = add_class_options(app, line);
  for (CLI::Option* option : of_class) option->group("A class of clients");
  try {
    app.parse(argc, argv);
    if (const auto rest = app.remaining(); !rest.empty())
      throw CLI::ExtrasError(rest.front().starts_with('-')
                                 ? unknown_option(app, rest.front())
                                 : fmt::format("one TARGET, not {} too", rest.front()),
                             CLI::ExitCodes::ExtrasError);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : bad_usage;
  }
  of_class.push_back(classes);
  for (const CLI::Option* option : of_class) {
    if (!line.file.empty() && option->count() > 0)
      return say(fmt::format("{} is for classes of the command line; with -f it belongs into the file",
                             option->get_name()));
  }
  if (!line.classes.empty() && app.count("--name") > 0)
    return say("--name is for the one class of the command line; with --class it belongs into each");
  const auto given = [&app](const char* name) { return app.count(name) > 0; };
  plan.duration_given = given("--duration");
  plan.warmup_given = given("--warmup");
  plan.threads_given = given("--threads");
  plan.seed_given = given("--seed");
  line.written.method = given("--method");
  line.written.keepalive = given("--keepalive");
  line.written.pipeline = given("--pipeline");
  line.written.ip = given("--ip");
  line.written.client_base = given("--client-base");

  if (!line.target.empty()) {
    std::string problem;
    plan.target = config::parse_endpoint(line.target, config::EndpointUse::connect, {}, problem);
    if (!plan.target) return say(fmt::format("TARGET: {}", problem));
  }
  if (const auto status = add_classes(line, plan)) return status;
  if (!plan.target) return say(fmt::format("which TARGET? Write {}", target_forms));
  complete_plan(plan);
  return std::nullopt;
}

}  // namespace sekisho::load
