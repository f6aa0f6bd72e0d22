// A limiter's decision beside what could stand in its place. Names are LIMITER/CLIENTS/TRAFFIC/VERDICT;
// bench/limiter_table runs all of it in an order that makes sense, docs/benchmarks.md says how to read it.
#include <benchmark/benchmark.h>
#include <tbb/version.h>

#include <array>
#include <atomic>
#include <boost/version.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/limiter/clients.hpp"
#include "bench/limiter/fence.hpp"
#include "bench/limiter/filled.hpp"
#include "bench/limiter/hash_alone.hpp"
#include "bench/limiter/locked_tree.hpp"
#include "bench/limiter/mutexed_map.hpp"
#include "bench/limiter/our_limiter.hpp"
#include "bench/limiter/random_line.hpp"
#include "bench/limiter/sharded_map.hpp"
#include "bench/limiter/tbb_map.hpp"
#include "bench/limiter/terms.hpp"
#include "bench/limiter/traffic.hpp"

namespace {

using namespace sekisho::bench;
using sekisho::ratelimit::Instant;
using sekisho::ratelimit::Key;

#if defined(__clang__)
constexpr const char* compiler = __VERSION__;
#else
constexpr const char* compiler = "g++ " __VERSION__;
#endif

// The clock is read once for so many requests, as a worker reads it once a turn of its loop.
constexpr unsigned batch = 64;

struct Cell {
  Filling filling;
  Traffic traffic;

  std::string name(const char* limiter) const {
    return std::string(limiter) + "/" + std::to_string(filling.clients) + "/" + name_of(traffic) + "/" +
           (filling.admitted ? "admitted" : "refused");
  }
};

// Walks the drawn requests round and round; each walk begins elsewhere.
class Requests {
 public:
  explicit Requests(const Cell& cell) : drawn_(all(cell)), mask_(drawn_.size() - 1) {
    static std::atomic<std::size_t> walks{0};
    at_ = walks.fetch_add(1) * 0x9e3779b1;
  }

  Key next() { return key_of(drawn_[at_++ & mask_]); }

 private:
  static const std::vector<std::uint32_t>& all(const Cell& cell) {
    static std::mutex mutex;
    static std::map<std::pair<Traffic, std::uint32_t>, std::vector<std::uint32_t>> drawn;
    const std::lock_guard lock(mutex);
    std::vector<std::uint32_t>& found = drawn[{cell.traffic, cell.filling.clients}];
    if (found.empty()) found = draw(cell.traffic, cell.filling.clients);
    return found;
  }

  const std::vector<std::uint32_t>& drawn_;
  std::size_t mask_;
  std::size_t at_;
};

void count(Answer answer, std::uint64_t& admitted) {
  admitted += answer.admitted ? 1 : 0;
  benchmark::DoNotOptimize(answer.remaining);
}

template <class Subject>
void report(benchmark::State& state, const Cell& cell, std::uint64_t admitted) {
  const auto requests = static_cast<std::uint64_t>(state.iterations());
  if (Subject::judges && admitted != (cell.filling.admitted ? requests : 0)) {
    state.SkipWithError("not every request had the verdict that this cell is about");
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["bytes_per_client"] = benchmark::Counter(
      Filled<Subject>::get(cell.filling).bytes_per_client(), benchmark::Counter::kAvgThreads);
}

enum class Pace { apart, overlapping };

template <class Subject, Pace pace>
void decide(benchmark::State& state, const Cell& cell) {
  Subject& subject = Filled<Subject>::get(cell.filling).subject();
  Requests requests(cell);
  std::uint64_t admitted = 0;
  while (state.KeepRunningBatch(batch)) {
    const Instant now = std::chrono::steady_clock::now();
    for (unsigned at = 0; at < batch; ++at) {
      count(subject.charge(requests.next(), now), admitted);
      if (pace == Pace::apart) fence();
    }
  }
  report<Subject>(state, cell, admitted);
}

// Every key's lines are asked for `ahead` requests, about a microsecond, before the decision.
void decide_prefetched(benchmark::State& state, const Cell& cell) {
  constexpr std::size_t ahead = 32;
  OurLimiter& limiter = Filled<OurLimiter>::get(cell.filling).subject();
  Requests requests(cell);
  std::array<Key, ahead> asked;
  for (Key& key : asked) key = requests.next();
  std::uint64_t admitted = 0;
  while (state.KeepRunningBatch(batch)) {
    const Instant now = std::chrono::steady_clock::now();
    for (unsigned at = 0; at < batch; ++at) {
      Key& key = asked[at % ahead];
      count(limiter.charge(std::exchange(key, requests.next()), now), admitted);
      limiter.prefetch(key);
      fence();
    }
  }
  report<OurLimiter>(state, cell, admitted);
}

template <class Measure>
void add(const Cell& cell, const char* limiter, Measure&& measure) {
  benchmark::RegisterBenchmark(cell.name(limiter).c_str(), measure, cell)->ThreadRange(1, 2)->UseRealTime();
}

template <class... Subjects>
void add_all(const Cell& cell) {
  (add(cell, Subjects::name, decide<Subjects, Pace::apart>), ...);
}

void add_cells() {
  for (const std::uint32_t clients : {1'000U, 100'000U, 1'000'000U, 10'000'000U}) {
    for (const bool admitted : {true, false}) {
      for (const Traffic traffic : {Traffic::uniform, Traffic::zipf, Traffic::single}) {
        const Cell cell{{clients, admitted}, traffic};
        add_all<OurLimiter, RandomLine, MutexedMap, ShardedMap, TbbMap, LockedTree>(cell);
        if (traffic != Traffic::uniform) continue;
        add_all<HashAlone>(cell);
        add(cell, "prefetched", decide_prefetched);
        add(cell, "overlapping_limiter", decide<OurLimiter, Pace::overlapping>);
        add(cell, "overlapping_floor", decide<RandomLine, Pace::overlapping>);
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  // glibc's mutexes do without atomic operations while a process has one thread; no proxy has only one.
  const std::jthread company([](const std::stop_token& end) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait(lock, end, [] { return false; });
  });
  add_cells();
  benchmark::AddCustomContext("compiler", compiler);
  benchmark::AddCustomContext("libraries", "Boost " BOOST_LIB_VERSION ", oneTBB " TBB_VERSION_STRING);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
