#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "bench/load/result.hpp"

namespace sekisho::load {
namespace {

using Row = std::vector<std::string>;

std::string milliseconds(std::int64_t nanoseconds) {
  const double value = static_cast<double>(nanoseconds) / 1e6;
  return value < 10     ? fmt::format("{:.3f}", value)
         : value < 1000 ? fmt::format("{:.1f}", value)
                        : fmt::format("{:.0f}", value);
}

std::string bytes(std::uint64_t count) {
  const auto value = static_cast<double>(count);
  if (value < 1e6) return fmt::format("{:.1f} kB", value / 1e3);
  if (value < 1e9) return fmt::format("{:.1f} MB", value / 1e6);
  return fmt::format("{:.2f} GB", value / 1e9);
}

Row row_of(const ClassResult& result) {
  const Tally& tally = result.tally;
  Row row{result.clients.name, fmt::format("{}", tally.requests),
          fmt::format("{:.1f}", requests_per_second(result)), fmt::format("{}", errors_of(tally)),
          fmt::format("{}", tally.unsent)};
  const auto latency = [&tally](std::int64_t value) {
    return tally.latency.count() == 0 ? std::string("-") : milliseconds(value);
  };
  for (const double share : {0.5, 0.75, 0.9, 0.99, 0.999, 0.9999})
    row.push_back(latency(tally.latency.quantile(share)));
  row.push_back(latency(tally.latency.max()));
  row.push_back(bytes(tally.bytes_in));
  row.push_back(bytes(tally.bytes_out));
  return row;
}

std::string lines_of(const std::vector<Row>& rows) {
  std::string text;
  for (const Row& row : rows) {
    for (std::size_t column = 0; column < row.size(); ++column) {
      std::size_t width = 0;
      for (const Row& other : rows) width = std::max(width, other[column].size());
      text += column == 0 ? fmt::format("{:<{}}", row[column], width)
                          : fmt::format("  {:>{}}", row[column], width);
    }
    text += '\n';
  }
  return text;
}

// "users: 4012 of 200, 3 of 429; 2 reset, 1 timeout"
std::string outcome_of(const ClassResult& result) {
  constexpr std::array<std::string_view, failures> names{"without a connection", "cut off", "timed out",
                                                         "malformed"};
  const Tally& tally = result.tally;
  std::string text;
  for (std::size_t status = 0; status < tally.statuses.size(); ++status) {
    if (tally.statuses[status] > 0)
      text += fmt::format("{}{} x {}", text.empty() ? "" : ", ", status, tally.statuses[status]);
  }
  for (std::size_t i = 0; i < failures; ++i) {
    if (tally.errors[i] > 0)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", tally.errors[i], names[i]);
  }
  if (tally.unfinished > 0)
    text += fmt::format("{}{} unanswered at the end", text.empty() ? "" : ", ", tally.unfinished);
  return fmt::format("  {}: {}\n", result.clients.name, text.empty() ? "nothing" : text);
}

}  // namespace

std::string table_of(const Result& result) {
  std::string text = fmt::format("{} for {:.1f} s{}, latencies in ms:\n\n", result.target, result.seconds,
                                 result.interrupted ? " (interrupted)" : "");
  std::vector<Row> rows{{"class", "requests", "a second", "errors", "unsent", "p50", "p75", "p90", "p99",
                         "p99.9", "p99.99", "max", "in", "out"}};
  for (const ClassResult& one : result.classes) rows.push_back(row_of(one));
  text += lines_of(rows) + "\n";
  for (const ClassResult& one : result.classes) text += outcome_of(one);
  text +=
      fmt::format("\nThe generator: {:.1f} us of CPU a request, its busiest thread {:.0f} % of a processor",
                  result.cpu_microseconds_per_request(), 100 * result.busiest_thread);
  if (result.waited_share)
    text += fmt::format(", {:.0f} % of the time waiting for one", 100 * *result.waited_share);
  if (const Histogram behind = result.behind(); behind.count() > 0)
    text += fmt::format(", {} ms late at p99", milliseconds(behind.quantile(0.99)));
  text += ".\n";
  for (const std::string& reason : result.bottlenecks())
    text += fmt::format("IT IS ITSELF THE BOTTLENECK: {}.\n", reason);
  for (const std::string& hint : result.hints()) text += fmt::format("NOTE: {}.\n", hint);
  return text;
}

}  // namespace sekisho::load
