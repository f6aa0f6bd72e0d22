// The command line: argv to commands, and nothing else.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.hpp"
#include "config/spelling.hpp"
#include "main/admin_commands.hpp"
#include "main/catalogue_command.hpp"
#include "main/check_command.hpp"
#include "main/explain_command.hpp"
#include "main/version.hpp"
#include "proxy/control.hpp"

namespace sekisho {
namespace {

constexpr int bad_usage = 2;

int not_supported(std::string_view command) {
  fmt::print(stderr, "sekisho {}: not supported yet\n", command);
  return 1;
}

// What the parsed line asks for; set by the subcommand that was named.
struct CommandLine {
  std::string source = config::default_source();
  bool strict = false, ready = false, json = false;
  unsigned count = 10;
  std::string address;
  std::string group;
  ExplainArguments explain;
  std::function<int()> command;
};

// A script's unset variable must not pass for a source.
std::string problem_of_source(const std::string& source) {
  return source.empty() || source == "env:" ? "names nothing; it is a file's path, env:NAME or -" : "";
}

// Of a command or, with the command as `app`, of what it can be told to do.
CLI::App* add(CLI::App& app, CommandLine& line, const char* name, const char* description,
              std::function<int()> command) {
  CLI::App* sub = app.add_subcommand(name, description);
  sub->add_option("-c,--config", line.source,
                  "the configuration: a file's path, env:NAME or - (default: $SEKISHO_CONFIG, else "
                  "/etc/sekisho/sekisho.yaml)")
      ->type_name("SOURCE")
      ->check(problem_of_source, "");
  // The callback of what stands behind it comes first, and is what was asked for.
  sub->callback([&line, command = std::move(command)] {
    if (!line.command) line.command = command;
  });
  return sub;
}

void add_commands(CLI::App& app, CommandLine& line) {
  add(app, line, "run", "run the proxy in the foreground", [&line] {
    return proxy::run_control({line.source, version, revision});
  });
  add(app, line, "check", "print every problem of the file, then its limits in plain words", [&line] {
    return check_command(line.source, line.strict);
  })->add_flag("--strict", line.strict, "a warning counts as a problem");
  CLI::App* explain = add(app, line, "explain", "what would happen to one request",
                          [&line] { return explain_command(line.source, line.explain); });
  explain->add_option("--peer", line.explain.peer, "who sends it (default: an address that the file trusts)")
      ->type_name("ADDRESS");
  explain->add_option("--method", line.explain.method, "its method (default: GET)")->type_name("METHOD");
  explain->add_option("--header", line.explain.headers, "one of its fields; may be repeated")
      ->type_name("'NAME: VALUE'")
      ->allow_extra_args(false);
  explain->add_option("URL", line.explain.url, "what it asks for")->required();
  add(app, line, "catalogue", "print the probe catalogue, or one group of it", [&line] {
    return catalogue_command(line.group);
  })->add_option("GROUP", line.group, "such as wordpress");
  add(app, line, "status", "print the state of the running proxy",
      [&line] { return status_command(line.source); });
  CLI::App* top = add(app, line, "top", "the busiest clients and paths of the last minutes",
                      [&line] { return top_command(line.source, line.count, line.json); });
  top->add_option("-n,--count", line.count, "how many of each (default: 10)")
      ->type_name("NUMBER")
      ->check(CLI::Range(1U, 100U), "");
  top->add_flag("--json", line.json, "as JSON");
  add(app, line, "reload", "let the running proxy read its file again",
      [&line] { return reload_command(line.source); });
  add(app, line, "healthcheck", "whether the running proxy is alive", [&line] {
    return healthcheck_command(line.source, line.ready);
  })->add_flag("--ready", line.ready, "whether requests can be served, instead");

  CLI::App* bans =
      add(app, line, "bans", "print the bans in force", [&line] { return bans_command(line.source); });
  add(*bans, line, "lift", "lift the bans of an address",
      [&line] { return lift_command(line.source, line.address); })
      ->add_option("ADDRESS", line.address, "whose bans to lift")
      ->required();

  for (const auto& [name, description] : {std::pair("replay", "run access logs through the limits"),
                                          std::pair("suggest", "propose limits from access logs")}) {
    add(app, line, name, description, [name = std::string(name)] {
      return not_supported(name);
    })->allow_extras();
  }
}

// Which command was used wrongly and how.
std::string usage_problem(const CLI::App* app, const CLI::Error& problem) {
  std::string what = problem.what();
  const std::vector<std::string> ahead = app->remaining();  // what stands where a command's name is due
  const bool named = !app->get_subcommands().empty();
  if (named && !ahead.empty()) {
    what = fmt::format("{} must stand behind the name of the command", ahead.front());
  } else if (!named && !ahead.empty()) {
    std::vector<std::string> names;
    for (const CLI::App* sub : app->get_subcommands({})) names.push_back(sub->get_name());
    const std::vector<std::string_view> known(names.begin(), names.end());
    what = fmt::format("there is no {} {}{}", ahead.front().starts_with('-') ? "option" : "command",
                       ahead.front(), config::did_you_mean(ahead.front(), known));
  } else if (!named) {
    what = "which command?";
  }
  std::string command = "sekisho";
  for (const CLI::App* at = app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    command += " " + at->get_name();
  }
  return fmt::format("{}: {}\nRun {} --help to see what there is.\n", command, what, command);
}

int run(int argc, char** argv) {
  CLI::App app("Sekisho, a reverse proxy that limits who may pass", "sekisho");
  app.set_version_flag("--version", fmt::format("sekisho {} ({})", version, revision));
  app.require_subcommand(1);
  app.failure_message(usage_problem);
  CommandLine line;
  add_commands(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : bad_usage;
  }
  const int status = line.command();
  // Half an answer, on a full disk say, must not pass for one.
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    fmt::print(stderr, "sekisho: cannot write to standard output\n");
    return status == 0 ? 1 : status;
  }
  return status;
}

}  // namespace
}  // namespace sekisho

int main(int argc, char** argv) {
  try {
    return sekisho::run(argc, argv);
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "sekisho: %s\n", problem.what());
    return 1;
  }
}
