// What it costs to record a request for top talkers, and a refused key for the metric refused_clients.
#include <benchmark/benchmark.h>

#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "ratelimit/recent_hitters.hpp"
#include "ratelimit/recent_keys.hpp"
#include "ratelimit/text_hash.hpp"

namespace {

using namespace std::chrono_literals;
using namespace sekisho::ratelimit;

constexpr Instant start{1000h};
constexpr std::size_t events = 1 << 12;  // few enough to stay in the cache

// Numbers of items by Zipf's law with exponent 1 over a million of them.
std::vector<std::uint64_t> zipf() {
  std::mt19937_64 engine(1);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::vector<std::uint64_t> numbers;
  for (std::size_t at = 0; at < events; ++at) {
    numbers.push_back(static_cast<std::uint64_t>(std::pow(1e6, uniform(engine))));
  }
  return numbers;
}

std::vector<std::uint64_t> distinct() {
  std::vector<std::uint64_t> numbers;
  for (std::size_t at = 0; at < events; ++at) numbers.push_back(at);
  return numbers;
}

void record(benchmark::State& state, const std::vector<std::uint64_t>& numbers, const char* prefix,
            std::size_t text_bytes) {
  const TextHasher hasher({0x9e3779b97f4a7c15, 0xd1b54a32d192ed03});
  RecentHitters hitters(1024, text_bytes, start);
  std::vector<std::string> items;
  for (const std::uint64_t number : numbers) items.push_back(prefix + std::to_string(number));
  std::size_t at = 0;
  for (auto _ : state) {
    const std::string& item = items[at++ % events];
    hitters.add(item, hasher(item), start);
  }
}

void one_client(benchmark::State& state) {
  record(state, std::vector<std::uint64_t>(events), "203.0.113.", 17);
}
void clients_by_zipf(benchmark::State& state) {
  record(state, zipf(), "203.0.113.", 17);
}
// Each event takes the slot of another item.
void distinct_clients(benchmark::State& state) {
  record(state, distinct(), "203.0.113.", 17);
}
void paths_by_zipf(benchmark::State& state) {
  record(state, zipf(), "/articles/2026/11/a-title-of-some-words/", 128);
}
void distinct_paths(benchmark::State& state) {
  record(state, distinct(), "/articles/2026/11/a-title-of-some-words/", 128);
}

void refused_keys(benchmark::State& state) {
  const auto set = std::make_unique<RecentKeys>();
  const KeyHasher hasher({1, 2});
  std::vector<Key> keys;
  for (std::int64_t at = 0; at < state.range(0); ++at)
    keys.push_back(hasher(static_cast<std::uint64_t>(at), ""));
  std::size_t at = 0;
  for (auto _ : state) {
    set->add(keys[at], start);
    at = at + 1 == keys.size() ? 0 : at + 1;
  }
}

BENCHMARK(one_client);
BENCHMARK(clients_by_zipf);
BENCHMARK(distinct_clients);
BENCHMARK(paths_by_zipf);
BENCHMARK(distinct_paths);
BENCHMARK(refused_keys)->Arg(1)->Arg(300)->Arg(100'000);

}  // namespace

BENCHMARK_MAIN();
