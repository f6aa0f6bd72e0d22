// Whatever read, write or connect fails, and however it does: nobody gets a wrong answer, nothing leaks,
// nothing is sent twice that must not be, and it ends.
#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <filesystem>
#include <list>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/proxy/fault_run.hpp"

namespace sekisho::test {
namespace {

// As many at once: their timeouts pass together, and each has three descriptors.
constexpr std::size_t runs_at_once = 256;
constexpr std::size_t runs_to_begin = 8;

struct Plan {
  const FaultExchange* exchange;
  std::shared_ptr<const config::Config> config;
  std::vector<Fault> faults;
};

std::shared_ptr<const config::Config> load(const FaultExchange& exchange) {
  config::Loaded loaded =
      config::load_text(exchange.yaml(), "test.yaml", std::filesystem::temp_directory_path());
  if (!loaded.config) throw std::runtime_error(loaded.diagnostics.format(loaded.diagnostics.all().front()));
  return loaded.config;
}

std::string describe(const FaultRun& run) {
  std::string text = run.exchange().name;
  for (const Fault& fault : run.plan().faults()) text += "; " + fault.text();
  return text + " -> " + run.outcome();
}

// Plays them all, and says what went wrong in each.
void play(std::deque<Plan> plans) {
  std::list<FaultRun> running;
  while (!plans.empty() || !running.empty()) {
    // A few at a time: those that run have their own times to keep.
    for (std::size_t begun = 0; begun < runs_to_begin && running.size() < runs_at_once && !plans.empty();
         ++begun) {
      running.emplace_back(*plans.front().exchange, plans.front().config, std::move(plans.front().faults));
      plans.pop_front();
    }
    bool changed = false;
    for (auto at = running.begin(); at != running.end();) {
      changed |= at->step();
      if (!at->over()) {
        ++at;
        continue;
      }
      for (const std::string& wrong : at->wrong()) ADD_FAILURE() << describe(*at) << ": " << wrong;
      at = running.erase(at);
    }
    // All of them wait for a tick.
    if (!changed) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// How many operations of each kind it has where nothing goes wrong.
FaultPlan count_operations(const FaultExchange& exchange,
                           const std::shared_ptr<const config::Config>& config) {
  FaultRun run(exchange, config, {});
  while (!run.over()) run.step();
  return run.plan();
}

// Every way in which one operation can fail. A fault may bring further operations on: `beyond` as many are
// tried, too.
std::vector<Fault> single_faults(const FaultPlan& counts, std::size_t beyond) {
  std::vector<Fault> faults;
  for (const Operation operation : all_operations) {
    for (std::size_t nth = 1; nth <= counts.count(operation) + beyond; ++nth) {
      for (const Failure failure : failures_of(operation)) faults.push_back({operation, nth, failure});
    }
  }
  return faults;
}

// Makes a run as long as a timeout.
bool is_slow(const Fault& fault) {
  return fault.failure == Failure::stall || fault.failure == Failure::unanswered;
}

// How many pairs of faults of one exchange are tried, spread over all that there are: fewer in slow builds.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(NDEBUG)
constexpr std::size_t pairs_of_small = 100, pairs_of_large = 20;
#else
constexpr std::size_t pairs_of_small = 10'000, pairs_of_large = 100;
#endif

class Faults : public testing::Test {
 protected:
  const std::vector<FaultExchange> exchanges_ = all_fault_exchanges();
};

TEST_F(Faults, NoneAtAll) {
  std::deque<Plan> plans;
  for (const FaultExchange& exchange : exchanges_) {
    const auto config = load(exchange);
    plans.push_back({&exchange, config, {}});
  }
  play(std::move(plans));
}

TEST_F(Faults, One) {
  std::deque<Plan> plans;
  for (const FaultExchange& exchange : exchanges_) {
    const auto config = load(exchange);
    for (const Fault& fault : single_faults(count_operations(exchange, config), 0)) {
      plans.push_back({&exchange, config, {fault}});
    }
  }
  RecordProperty("runs", std::to_string(plans.size()));
  play(std::move(plans));
}

TEST_F(Faults, Two) {
  std::deque<Plan> plans;
  for (const FaultExchange& exchange : exchanges_) {
    const auto config = load(exchange);
    std::vector<Fault> faults = single_faults(count_operations(exchange, config), 1);
    std::erase_if(faults, is_slow);
    std::vector<std::pair<Fault, Fault>> pairs;
    for (std::size_t i = 0; i < faults.size(); ++i) {
      for (std::size_t j = i + 1; j < faults.size(); ++j) {
        const bool same = faults[i].operation == faults[j].operation && faults[i].nth == faults[j].nth;
        if (!same) pairs.emplace_back(faults[i], faults[j]);
      }
    }
    const std::size_t step = pairs.size() / (exchange.small ? pairs_of_small : pairs_of_large) + 1;
    for (std::size_t i = 0; i < pairs.size(); i += step) {
      plans.push_back({&exchange, config, {pairs[i].first, pairs[i].second}});
    }
  }
  RecordProperty("runs", std::to_string(plans.size()));
  play(std::move(plans));
}

}  // namespace
}  // namespace sekisho::test
