#include "bench/load/run.hpp"

#include <fmt/format.h>

#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "bench/load/progress_line.hpp"
#include "bench/load/worker.hpp"

namespace sekisho::load {
namespace {

constexpr std::uint64_t other_descriptors = 64;
// Where no connection was to be had for so long, none will be.
constexpr auto patience = std::chrono::seconds(3);
constexpr auto glance = std::chrono::milliseconds(500);

std::atomic<int> interrupted{0};  // lock-free, and so a handler may write it

// The first signal ends the run early, the second the process.
void catch_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

using Workers = std::vector<std::unique_ptr<Worker>>;

ProgressSum sum_of(const Workers& workers) {
  ProgressSum sum;
  for (const auto& worker : workers) {
    const Progress& progress = worker->progress();
    sum.answered += progress.answered.load(std::memory_order_relaxed);
    sum.refused += progress.refused.load(std::memory_order_relaxed);
    sum.failed += progress.failed.load(std::memory_order_relaxed);
    sum.unreached += progress.unreached.load(std::memory_order_relaxed);
  }
  return sum;
}

Workers make_workers(Run& run) {
  Workers workers;
  std::uint64_t connection = 0;
  for (const ClientClass& clients : run.plan.classes) {
    std::uint64_t in_class = 0;
    for (std::uint64_t number = 0; number < clients.threads; ++number) {
      const Share share{number, clients.threads, connection, in_class};
      workers.push_back(std::make_unique<Worker>(run, clients, share));
      connection += share.part(clients.connections);
      in_class += share.part(clients.connections);
    }
  }
  return workers;
}

Result result_of(const Run& run, const Workers& workers) {
  Result result;
  result.target = run.target.text;
  result.threads = workers.size();
  for (const ClientClass& clients : run.plan.classes) {
    ClassResult one{clients, {}};
    for (const auto& worker : workers) {
      if (&worker->clients() != &clients) continue;
      const Tally& tally = worker->tally();
      one.tally.add(tally);
      if (tally.wall == 0) continue;
      const auto wall = static_cast<double>(tally.wall);
      result.busiest_thread = std::max(result.busiest_thread, static_cast<double>(tally.cpu) / wall);
      if (tally.waited)
        result.waited_share =
            std::max(result.waited_share.value_or(0), static_cast<double>(*tally.waited) / wall);
    }
    result.seconds = std::max(result.seconds, static_cast<double>(one.tally.wall) / 1e9);
    result.classes.push_back(std::move(one));
  }
  return result;
}

}  // namespace

bool make_room_for(std::uint64_t connections, std::string& problem) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return true;  // then the first that does not fit will tell
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (connections + other_descriptors <= limit.rlim_cur) return true;
  problem = fmt::format(
      "{} connections do not fit into the {} descriptors that a process may have here (ulimit -Hn)",
      connections, limit.rlim_cur);
  return false;
}

std::uint64_t connections_of(const Plan& plan) {
  std::uint64_t sum = 0;
  for (const ClientClass& clients : plan.classes) sum += clients.connections;
  return sum;
}

Result run_plan(const Plan& plan, Target target) {
  Run run{plan, std::move(target), connections_of(plan)};
  Workers workers = make_workers(run);
  catch_signals();
  std::mutex mutex;
  std::condition_variable ended;
  std::size_t running = workers.size();
  run.begin = steady_now();
  std::vector<std::thread> threads;
  for (const auto& worker : workers) {
    threads.emplace_back([&, worker = worker.get()] {
      worker->run();
      const std::lock_guard lock(mutex);
      --running;
      ended.notify_one();
    });
  }
  {
    ProgressLine line(!plan.quiet);
    const auto began = std::chrono::steady_clock::now();
    auto next_line = began;
    std::unique_lock lock(mutex);
    while (running > 0) {
      ended.wait_for(lock, glance / 5, [&] { return running == 0; });
      const auto now = std::chrono::steady_clock::now();
      const ProgressSum sum = sum_of(workers);
      const bool hopeless =
          sum.answered == 0 && sum.failed > 0 && sum.failed == sum.unreached && now - began > patience;
      if (interrupted != 0 || hopeless) run.stop.store(true, std::memory_order_relaxed);
      if (now < next_line) continue;
      line.show(std::chrono::duration<double>(now - began).count(), sum);
      next_line = now + glance;
    }
  }
  for (std::thread& thread : threads) thread.join();
  Result result = result_of(run, workers);
  result.interrupted = interrupted != 0;
  return result;
}

}  // namespace sekisho::load
