#include "main/check_command.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <optional>

#include "config/describe.hpp"
#include "config/warnings.hpp"
#include "proxy/name_lookup.hpp"
#include "proxy/policy/engine.hpp"
#include "proxy/policy/limit_states.hpp"
#include "proxy/policy/memory_bound.hpp"
#include "proxy/policy/range_age.hpp"
#include "proxy/talkers.hpp"
#include "proxy/task_count.hpp"
#include "proxy/tls_contexts.hpp"
#include "proxy/worker_count.hpp"

namespace sekisho {

void add_policy_problems(config::Loaded& loaded) {
  if (!loaded.draft) return;
  config::Diagnostics found = loaded.diagnostics.fresh();
  const ratelimit::Instant now = std::chrono::steady_clock::now();
  const policy::LimitSet states = policy::LimitStates::for_checking(*loaded.draft, now);
  policy::Engine::compile(loaded.draft, states, 0, found);
  if (found.has_errors()) loaded.config = nullptr;
  loaded.diagnostics.append(found);
}

namespace {

void add_tls_problems(config::Loaded& loaded) {
  if (!loaded.draft) return;
  config::Diagnostics found = loaded.diagnostics.fresh();
  proxy::read_tls(*loaded.draft, found);
  if (found.has_errors()) loaded.config = nullptr;
  loaded.diagnostics.append(found);
}

// The tasks that the fleet's name stands for, where that is known without delay.
std::optional<std::uint64_t> tasks_now(const config::Fleet& fleet) {
  constexpr auto patience = std::chrono::milliseconds(500);
  if (fleet.dns_name.empty()) return std::nullopt;
  const auto found = proxy::wait_for_names({{fleet.dns_name, 0, proxy::WantedAddresses::all}}, patience);
  const std::uint64_t tasks = proxy::tasks_behind(found.front().endpoints);
  return tasks == 0 ? std::nullopt : std::optional(tasks);
}

}  // namespace

int check_command(const std::string& source, bool strict) {
  config::Loaded loaded = config::load(source);
  add_policy_problems(loaded);
  add_tls_problems(loaded);
  if (loaded.draft) {
    config::add_warnings(*loaded.draft, loaded.diagnostics);
    policy::add_range_age_warnings(loaded.draft->client_ip, std::chrono::system_clock::now(),
                                   loaded.diagnostics);
  }

  for (config::Diagnostic problem : loaded.diagnostics.sorted()) {
    const bool warning = problem.severity == config::Severity::warning;
    if (warning) problem.message.insert(0, "warning: ");
    fmt::print(warning ? stderr : stdout, "{}\n", loaded.diagnostics.format(problem));
  }
  if (loaded.config) {
    const policy::MemoryNeed tables = policy::LimitStates::memory_needed(*loaded.config);
    const unsigned workers =
        loaded.config->workers != 0 ? loaded.config->workers : proxy::automatic_workers();
    const std::uint64_t figures =
        workers * proxy::Talkers::bytes + policy::LimitStates::bytes_of_counts(*loaded.config, workers);
    fmt::print(stdout, "{}{}", config::describe_limits(*loaded.config, tasks_now(loaded.config->fleet)),
               config::describe_memory(*loaded.config, tables.bytes, figures));
    // No warning: where it is run may be larger than where it is checked.
    if (const auto problem = policy::memory_problem(tables, policy::memory_bound()))
      fmt::print(stdout, "beside what runs here now it would be refused: {}\n", *problem);
  }
  std::fflush(stdout);
  const bool refused = !loaded.config || (strict && loaded.diagnostics.has_warnings());
  return refused ? 1 : 0;
}

}  // namespace sekisho
