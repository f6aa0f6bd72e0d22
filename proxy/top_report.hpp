// What GET /top tells: who talks most, over all workers, as JSON and as a table for a terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proxy/talkers.hpp"
#include "ratelimit/instant.hpp"
#include "ratelimit/merged_hitters.hpp"

namespace sekisho::proxy {

// One client or path. It had `requests - requests_error` to `requests` of them, and so with the refusals.
struct TopEntry {
  std::string text;
  std::uint64_t requests = 0, requests_error = 0;
  std::uint64_t refusals = 0, refusals_error = 0;
};

struct TopRanking {
  std::vector<TopEntry> by_requests;
  std::vector<TopEntry> by_refusals;
};

struct TopReport {
  double window_seconds = 0;  // the figures are of so long, up to now
  std::size_t workers = 0;
  std::size_t answered = 0;  // fewer where a worker hangs: its requests are missing
  std::uint64_t requests = 0;
  std::uint64_t refusals = 0;
  TopRanking clients;
  TopRanking paths;
};

// The first `n` of each ranking. `talkers` are the workers' copies, nullptr for one that did not answer.
TopReport make_top_report(const std::vector<std::shared_ptr<Talkers>>& talkers, std::size_t n,
                          ratelimit::Instant now);

// Whatever bytes a path has, they stay within their JSON string.
std::string top_json(const TopReport& report);
// For a terminal. A path is shown in printable ASCII alone, what else it has percent-encoded.
std::string top_table(const TopReport& report);

}  // namespace sekisho::proxy
