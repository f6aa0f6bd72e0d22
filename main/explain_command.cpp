#include "main/explain_command.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "config/load.hpp"
#include "main/check_command.hpp"
#include "proxy/policy/engine.hpp"
#include "proxy/policy/trace.hpp"
#include "proxy/request_parser.hpp"

namespace sekisho {
namespace {

// What the policy makes of a request that the parser took.
policy::Trace admission_of(std::shared_ptr<const config::Config> config, const proxy::RequestHead& head,
                           const config::IpAddress& peer) {
  const ratelimit::Instant now = std::chrono::steady_clock::now();
  const policy::LimitSet states = policy::LimitStates::for_checking(*config, now);
  config::Diagnostics problems;
  const auto engine = policy::Engine::compile(config, states, 0, problems);
  policy::Admission admission;
  policy::Trace trace;
  engine->admit({head.method, head.target, head.version, head.fields, peer}, now,
                std::chrono::system_clock::now(), admission, &trace);
  return trace;
}

// What the parser says of it, as the first thing that meets a real request.
policy::Trace verdict_on(std::shared_ptr<const config::Config> config, const AskedRequest& asked) {
  proxy::RequestParser parser;
  parser.set_limits({config->client.max_header_bytes, config->client.max_headers});
  parser.reset();
  proxy::RequestHead head;
  const proxy::ParseResult parsed = parser.parse(asked.head, head);
  if (parsed.status == proxy::ParseStatus::complete) return admission_of(std::move(config), head, asked.peer);
  policy::Trace trace;
  trace.step("request", policy::escaped(asked.head.substr(0, asked.head.find(" HTTP/1.1\r\n"))));
  trace.step("outcome", fmt::format("would be answered {}: {}", parsed.error_status, parsed.reason));
  trace.detail("and closed, ahead of the host guard and every limit");
  return trace;
}

}  // namespace

int explain_command(const std::string& source, const ExplainArguments& arguments) {
  config::Loaded loaded = config::load(source);
  add_policy_problems(loaded);
  if (!loaded.config) {
    for (const config::Diagnostic& problem : loaded.diagnostics.sorted()) {
      if (problem.severity == config::Severity::error)
        fmt::print(stdout, "{}\n", loaded.diagnostics.format(problem));
    }
    return 1;
  }
  try {
    fmt::print(stdout, "{}", verdict_on(loaded.config, make_request(*loaded.config, arguments)).text());
    return 0;
  } catch (const BadArguments& problem) {
    fmt::print(stderr, "sekisho explain: {}\n", problem.what());
    return 2;
  }
}

}  // namespace sekisho
