#include "bench/load/result.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

namespace sekisho::load {
namespace {

// Above it a thread has no room left for what comes unevenly.
constexpr double busy = 0.9;
// More than what a machine with room takes to switch threads, and enough to be seen in any figure.
constexpr double kept_waiting = 0.1;
// A request that leaves so much too late, and by so much of what is measured, spoils the figure.
constexpr std::int64_t late = 1'000'000;
constexpr std::int64_t late_part = 10;
// From there on p99 is that of requests that waited for a connection.
constexpr double short_of_connections = 0.01;

}  // namespace

std::int64_t Result::cpu() const {
  std::int64_t sum = 0;
  for (const ClassResult& result : classes) sum += result.tally.cpu;
  return sum;
}

double Result::cpu_microseconds_per_request() const {
  std::uint64_t answers = 0;
  for (const ClassResult& result : classes) answers += result.tally.answered_meanwhile;
  return answers == 0 ? 0 : static_cast<double>(cpu()) / 1000 / static_cast<double>(answers);
}

Histogram Result::behind() const {
  Histogram all;
  for (const ClassResult& result : classes) all.add(result.tally.behind);
  return all;
}

std::vector<std::string> Result::bottlenecks() const {
  std::vector<std::string> reasons;
  if (busiest_thread > busy)
    reasons.push_back(fmt::format("its busiest thread used {:.0f} % of a processor", 100 * busiest_thread));
  if (waited_share.value_or(0) > kept_waiting)
    reasons.push_back(fmt::format("it waited {:.0f} % of the time for a processor", 100 * *waited_share));
  for (const ClassResult& result : classes) {
    const std::int64_t behind = result.tally.behind.quantile(0.99);
    if (behind > late && behind > result.tally.latency.quantile(0.99) / late_part)
      reasons.push_back(fmt::format("requests of {} left {:.1f} ms late (p99) though a connection was ready",
                                    result.clients.name, static_cast<double>(behind) / 1e6));
  }
  return reasons;
}

std::vector<std::string> Result::hints() const {
  std::vector<std::string> hints;
  for (const ClassResult& result : classes) {
    const double share = all_busy_share(result);
    // Where connections are refused, more of them are no help.
    if (share < short_of_connections || result.tally.errors[static_cast<std::size_t>(Failure::connect)] > 0)
      continue;
    hints.push_back(
        fmt::format("all {} connections of {} were busy when {:.0f} % of its requests came due; raise "
                    "--connections to have "
                    "them sent on time",
                    result.clients.connections, result.clients.name, 100 * share));
  }
  return hints;
}

bool Result::answered() const {
  return std::any_of(classes.begin(), classes.end(), [](const ClassResult& result) {
    return result.tally.requests > 0 || result.tally.answered_meanwhile > 0;
  });
}

std::string Result::connect_error() const {
  for (const ClassResult& result : classes) {
    if (result.tally.connect_error != 0) return std::strerror(result.tally.connect_error);
  }
  return {};
}

double requests_per_second(const ClassResult& result) {
  if (result.tally.wall == 0) return 0;
  return static_cast<double>(result.tally.requests) * 1e9 / static_cast<double>(result.tally.wall);
}

std::uint64_t errors_of(const Tally& tally) {
  return std::accumulate(tally.errors.begin(), tally.errors.end(), std::uint64_t{0});
}

double all_busy_share(const ClassResult& result) {
  const Tally& tally = result.tally;
  const std::uint64_t due = tally.requests + errors_of(tally) + tally.unfinished + tally.unsent;
  return due == 0 ? 0 : std::min(1.0, static_cast<double>(tally.all_busy) / static_cast<double>(due));
}

}  // namespace sekisho::load
