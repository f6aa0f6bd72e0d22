// What a decision of the limiter costs (docs/benchmarks.md says how to read the figures).
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "ratelimit/limiter.hpp"

namespace {

using namespace std::chrono_literals;
using sekisho::ratelimit::Instant;
using sekisho::ratelimit::Key;
using sekisho::ratelimit::KeyHasher;
using sekisho::ratelimit::Limiter;

constexpr Instant start{std::chrono::hours(5)};
const KeyHasher hasher({0x0123456789abcdef, 0xfedcba9876543210});

// As the proxy makes it: 24 bytes through SipHash, the length of an address with its salt.
Key hashed(std::uint64_t client) {
  const std::uint64_t bytes[] = {client, ~client};
  return hasher(7, std::string_view(reinterpret_cast<const char*>(bytes), sizeof bytes));
}
// Spread as well, for nearly nothing: what is left is the table's cost.
Key spread(std::uint64_t client) {
  return {(client + 1) * 0x9e3779b97f4a7c15U, (client + 1) * 0xd1342543de82ef95U >> 20};
}

std::uint64_t next(std::uint64_t& state) {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}
std::uint64_t seed_of(const benchmark::State& state) {
  return 0x9e3779b97f4a7c15U * static_cast<std::uint64_t>(state.thread_index() + 1);
}

// Shared by the threads of one benchmark; made before they start.
std::unique_ptr<Limiter> limiter;
std::vector<std::uint64_t> lines;

void drop(const benchmark::State&) {
  limiter.reset();
  lines = {};
}

void open_limiter(const benchmark::State&) {
  limiter = std::make_unique<Limiter>(sekisho::ratelimit::Quota{1'000'000, 1s, 1'000'000}, 1000, start);
}
void hot_key_admitted(benchmark::State& state) {
  const Key key = hashed(1);
  Instant now = start;
  for (auto _ : state) benchmark::DoNotOptimize(limiter->charge(key, now += 2us));
}
BENCHMARK(hot_key_admitted)->Setup(open_limiter)->Teardown(drop)->ThreadRange(1, 2)->UseRealTime();

void empty_bucket(const benchmark::State&) {
  limiter = std::make_unique<Limiter>(sekisho::ratelimit::Quota{1, 1h, 5}, 1000, start);
  while (limiter->charge(hashed(1), start).admitted) continue;
}
void hot_key_refused(benchmark::State& state) {
  const Key key = hashed(1);
  for (auto _ : state) benchmark::DoNotOptimize(limiter->charge(key, start));
}
BENCHMARK(hot_key_refused)->Setup(empty_bucket)->Teardown(drop)->ThreadRange(1, 2)->UseRealTime();

// As many clients in debt as the table was sized for.
template <Key (*key_of)(std::uint64_t)>
void crowd(const benchmark::State& state) {
  const auto clients = static_cast<std::size_t>(state.range(0));
  limiter = std::make_unique<Limiter>(sekisho::ratelimit::Quota{1, 1h, 1'000'000}, clients, start);
  for (std::uint64_t client = 0; client < clients; ++client) limiter->charge(key_of(client), start);
}
template <Key (*key_of)(std::uint64_t)>
void random_keys(benchmark::State& state) {
  const auto clients = static_cast<std::uint64_t>(state.range(0));
  std::uint64_t random = seed_of(state);
  for (auto _ : state) benchmark::DoNotOptimize(limiter->charge(key_of(next(random) % clients), start));
}
BENCHMARK(random_keys<spread>)
    ->Name("random_keys")
    ->Setup(crowd<spread>)
    ->Teardown(drop)
    ->Arg(1'000)
    ->Arg(100'000)
    ->Arg(10'000'000)
    ->ThreadRange(1, 2)
    ->UseRealTime();
BENCHMARK(random_keys<hashed>)
    ->Name("random_keys_and_hash")
    ->Setup(crowd<hashed>)
    ->Teardown(drop)
    ->Arg(1'000)
    ->Arg(100'000)
    ->Arg(10'000'000)
    ->ThreadRange(1, 2)
    ->UseRealTime();

// The measure for the lines above: loads from random cache lines of as much memory, each waiting for the
// last.
void fill_lines(const benchmark::State& state) {
  lines.assign(static_cast<std::size_t>(state.range(0)) * 2, 1);
}
void random_line(benchmark::State& state) {
  std::uint64_t random = seed_of(state);
  for (auto _ : state) random += lines[next(random) % (lines.size() / 8) * 8];
  benchmark::DoNotOptimize(random);
}
BENCHMARK(random_line)
    ->Setup(fill_lines)
    ->Teardown(drop)
    ->Arg(1'000)
    ->Arg(100'000)
    ->Arg(10'000'000)
    ->ThreadRange(1, 2)
    ->UseRealTime();

void hash_alone(benchmark::State& state) {
  std::uint64_t client = 0;
  for (auto _ : state) benchmark::DoNotOptimize(hashed(++client));
}
BENCHMARK(hash_alone);

}  // namespace

BENCHMARK_MAIN();
