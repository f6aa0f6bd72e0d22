#include "proxy/top_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "proxy/json_writer.hpp"

namespace sekisho::proxy {
namespace {

using ratelimit::MergedHitters;

void add(MergedHitters& merged, const ratelimit::RecentHitters& hitters) {
  for (const ratelimit::HeavyHitters& sketch : hitters.generations()) merged.add(sketch);
}

TopRanking rank(const MergedHitters& requests, const MergedHitters& refusals, std::size_t n,
                std::string (*text)(std::string_view item)) {
  const auto entry = [&](const std::string& item) {
    const MergedHitters::Item of_requests = requests.find(item);
    const MergedHitters::Item of_refusals = refusals.find(item);
    return TopEntry{text(item), of_requests.count, of_requests.error, of_refusals.count, of_refusals.error};
  };
  TopRanking ranking;
  for (const MergedHitters::Item& item : requests.top(n)) ranking.by_requests.push_back(entry(item.text));
  for (const MergedHitters::Item& item : refusals.top(n)) ranking.by_refusals.push_back(entry(item.text));
  return ranking;
}

void write(JsonWriter& json, const char* name, const char* what, const TopRanking& ranking) {
  const auto list = [&](const char* order, const std::vector<TopEntry>& entries) {
    json.key(order).begin_array();
    for (const TopEntry& entry : entries) {
      json.begin_object().member(what, entry.text);
      json.member("requests", entry.requests).member("requests_error", entry.requests_error);
      json.member("refusals", entry.refusals).member("refusals_error", entry.refusals_error).end_object();
    }
    json.end_array();
  };
  json.key(name).begin_object();
  list("requests", ranking.by_requests);
  list("refusals", ranking.by_refusals);
  json.end_object();
}

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c > ' ' && c <= '~' && c != '%') {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string range(std::uint64_t most, std::uint64_t error) {
  return error == 0 ? fmt::format("{}", most) : fmt::format("{}-{}", most - error, most);
}

void print(std::string& out, std::string_view title, std::string_view what,
           const std::vector<TopEntry>& entries) {
  fmt::format_to(std::back_inserter(out), "\n{}\n", title);
  if (entries.empty()) {
    out += "  none\n";
    return;
  }
  fmt::format_to(std::back_inserter(out), "{:>21} {:>21}  {}\n", "requests", "refused", what);
  for (const TopEntry& entry : entries) {
    fmt::format_to(std::back_inserter(out), "{:>21} {:>21}  {}\n",
                   range(entry.requests, entry.requests_error), range(entry.refusals, entry.refusals_error),
                   printable(entry.text));
  }
}

}  // namespace

TopReport make_top_report(const std::vector<std::shared_ptr<Talkers>>& talkers, std::size_t n,
                          ratelimit::Instant now) {
  TopReport report;
  report.workers = talkers.size();
  MergedHitters clients, refused_clients, paths, refused_paths;
  ratelimit::Instant since = now;
  for (const auto& worker : talkers) {
    if (worker == nullptr) continue;
    ++report.answered;
    worker->turn(now);
    since = std::min(since, worker->clients().since());
    add(clients, worker->clients());
    add(refused_clients, worker->refused_clients());
    add(paths, worker->paths());
    add(refused_paths, worker->refused_paths());
  }
  report.window_seconds = std::chrono::duration<double>(now - since).count();
  report.requests = clients.total();
  report.refusals = refused_clients.total();
  report.clients = rank(clients, refused_clients, n, Talkers::client_text);
  report.paths = rank(paths, refused_paths, n, [](std::string_view item) { return std::string(item); });
  return report;
}

std::string top_json(const TopReport& report) {
  JsonWriter json;
  json.begin_object().member("window_seconds", report.window_seconds);
  json.member("workers", report.workers).member("answered", report.answered);
  json.member("requests", report.requests).member("refusals", report.refusals);
  write(json, "clients", "client", report.clients);
  write(json, "paths", "path", report.paths);
  return json.end_object().take();
}

std::string top_table(const TopReport& report) {
  std::string out = fmt::format("the last {:.0f} s: {} requests, {} refused\n", report.window_seconds,
                                report.requests, report.refusals);
  if (report.answered != report.workers) {
    fmt::format_to(std::back_inserter(out), "{} of {} workers did not answer: their requests are missing\n",
                   report.workers - report.answered, report.workers);
  }
  print(out, "clients with most requests", "client", report.clients.by_requests);
  print(out, "clients with most refusals", "client", report.clients.by_refusals);
  print(out, "paths with most requests", "path", report.paths.by_requests);
  print(out, "paths with most refusals", "path", report.paths.by_refusals);
  return out;
}

}  // namespace sekisho::proxy
