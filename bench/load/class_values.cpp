#include "bench/load/class_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "config/scalars.hpp"

namespace sekisho::load {
namespace {

bool is_token(std::string_view text) {
  constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           others.find(c) != std::string_view::npos;
  });
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

void check_request(const ClientClass& clients, std::vector<ClassProblem>& problems) {
  if (!is_token(clients.method))
    problems.push_back({"method", fmt::format("\"{}\" is no method", clients.method)});
  for (const std::string& path : clients.paths) {
    if (!path.starts_with('/') || has_control(path) || path.find(' ') != std::string::npos)
      problems.push_back({"path", fmt::format("\"{}\" must begin with / and hold no spaces", path)});
  }
  for (const std::string& header : clients.headers) {
    const std::size_t colon = header.find(':');
    if (colon == std::string::npos || !is_token(std::string_view(header).substr(0, colon)) ||
        has_control(header))
      problems.push_back({"header", fmt::format("\"{}\" is no field; write 'Name: value'", header)});
  }
  if (has_control(clients.host) || clients.host.find(' ') != std::string::npos)
    problems.push_back({"host", fmt::format("\"{}\" is no host", clients.host)});
}

void complete_clients(ClientClass& clients, const Written& written, std::vector<ClassProblem>& problems) {
  if (!clients.clients) {
    if (written.ip) problems.push_back({"ip", "says nothing without clients"});
    if (written.client_base) problems.push_back({"client_base", "says nothing without clients"});
    return;
  }
  Population& population = *clients.clients;
  population.base = written.base;
  population.v6 = written.ip ? written.ip_version == "v6" : written.base && !written.base->is_v4();
  if (population.kind == Population::Kind::per_connection) population.size = clients.connections;
  if (std::string problem = problem_of(population); !problem.empty())
    problems.push_back({written.base ? "client_base" : "clients", std::move(problem)});
}

}  // namespace

std::optional<double> parse_load_rate(std::string_view text, std::string& problem) {
  if (text.find('/') != std::string_view::npos) {
    const auto rate = config::parse_rate(text, problem);
    if (!rate) return std::nullopt;
    return static_cast<double>(rate->count) / std::chrono::duration<double>(rate->period).count();
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value > 0) || value > 1e9) {
    problem = fmt::format("\"{}\" is no rate; write requests a second, such as 1000, or 200/min",
                          text.substr(0, 60));
    return std::nullopt;
  }
  return value;
}

std::vector<ClassProblem> complete_class(ClientClass& clients, const Written& written) {
  std::vector<ClassProblem> problems;
  if (!written.method && (clients.body > 0 || clients.chunked)) clients.method = "POST";
  if (written.fresh) {
    if (written.keepalive) problems.push_back({"keepalive", "is at odds with fresh"});
    if (written.pipeline && clients.pipeline > 1)
      problems.push_back({"pipeline", "is at odds with fresh: a new connection has one request"});
    clients.keepalive = 1;
  }
  if (clients.rate > 0 && clients.think.count() > 0)
    problems.push_back({"think", "is at odds with rate: at a rate nobody waits for an answer"});
  if (clients.think_random && clients.think.count() == 0)
    problems.push_back({"think_random", "says nothing without think"});
  check_request(clients, problems);
  complete_clients(clients, written, problems);
  return problems;
}

void complete_plan(Plan& plan) {
  const auto counted = [](const ClientClass& clients) { return clients.requests > 0; };
  // Who asks for a number of requests waits for them, and wants to find that number in every book.
  if (!plan.duration_given && std::all_of(plan.classes.begin(), plan.classes.end(), counted))
    plan.duration = std::chrono::hours(24);
  if (!plan.warmup_given && std::any_of(plan.classes.begin(), plan.classes.end(), counted)) plan.warmup = {};
  for (ClientClass& clients : plan.classes) {
    if (clients.threads == 0) clients.threads = plan.threads;
    clients.threads = std::min(clients.threads, clients.connections);
  }
}

}  // namespace sekisho::load
