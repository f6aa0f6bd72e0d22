// A table's atomics under a scheduler: the threads of a test are fibers, and before every access to a word
// another of them may go on.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "ratelimit/word.hpp"
#include "tests/ratelimit/fiber.hpp"

namespace sekisho::test {

// What is run over and over. `reset` puts the words as they were; `check` says what is wrong at the end, or
// nothing.
struct Scenario {
  std::span<std::uint64_t> words;
  std::function<void()> reset;
  std::vector<std::function<void()>> threads;
  std::function<std::string()> check;
};

struct Explored {
  std::uint64_t runs = 0;    // executions, whole or up to a state that had been seen
  std::uint64_t states = 0;  // different states at which there was a choice
  double interleavings = 0;  // different orders of the accesses that those stand for
  std::string failure;       // empty: none
};

// Runs a scenario's threads in an order that it chooses at every access.
//
// Two reductions, neither of which loses an outcome. A load of a word that no run of the scenario ever writes
// commutes with everything, so nobody is interrupted there; which words are written is learnt, and the search
// begun again, until no new one shows. And a thread is a function of what it has read: where the words and
// what each thread has read are the same as before, so is all that can follow, and it is not run again.
//
// How many rounds an operation has taken is no part of that but for whether its patience is over.
//
// A thread that pauses in the middle of an operation, having found nothing but what it had found the round
// before, would do the same again until another writes or its patience ends. It is tried both ways: waiting
// for the write, and spinning on.
class Schedule {
 public:
  // Every interleaving, or all with at most so many preemptions (a thread stopped that could have gone on).
  static constexpr int unbounded = 1 << 30;
  Explored explore(const Scenario& scenario, int preemptions = unbounded) {
    written_.clear();
    for (;;) {
      shared_ = written_;  // for the whole of a search, or a run would not go as it went before
      Explored found = search(scenario, preemptions);
      if (!found.failure.empty() || shared_ == written_) return found;
    }
  }

  // One run by random priorities, lowered at `changes` random moments (Burckhardt and others, "A randomized
  // scheduler with probabilistic guarantees of finding bugs").
  std::string run_by_priorities(const Scenario& scenario, std::uint64_t seed, int changes) {
    std::mt19937_64 random(seed);
    std::vector<int> priority(scenario.threads.size());
    for (std::size_t at = 0; at < priority.size(); ++at) priority[at] = static_cast<int>(at);
    std::ranges::shuffle(priority, random);
    std::set<std::uint64_t> moments;
    while (moments.size() < static_cast<std::size_t>(changes)) moments.insert(random() % 600);
    int lowest = -1;
    std::uint64_t step = 0;
    everywhere_ = true;
    preemptions_left_ = unbounded;
    choose_ = [&](const std::vector<Choice>& choices) {
      if (current_ >= 0 && (moments.contains(step++) || waiting(current_)))
        priority[static_cast<std::size_t>(current_)] = lowest--;
      return *std::ranges::max_element(choices, {},
                                       [&](const Choice& choice) { return priority[choice.thread]; });
    };
    run(scenario);
    everywhere_ = false;
    return failure_.empty() ? scenario.check() : failure_;
  }

  // A thread of the scenario calls this before each of its operations.
  void begin_operation() {
    Thread& self = this->self();
    self.pauses = 0;
    self.rushing = false;
    self.written_by_others = 0;
    mix(self.read, 0xb);
    self.read_before = self.read;
  }

  // For the atomics.
  static inline Schedule* active = nullptr;
  void before_access(const std::uint64_t& word, bool may_write) {
    if (may_write) written_.insert(&word);
    if (self().rushing || !(everywhere_ || shared_.contains(&word))) return;
    yield();
  }
  void after_access(std::uint64_t outcome) { mix(self().read, outcome); }
  void after_write(std::uint64_t before, std::uint64_t after) {
    namespace word = ratelimit::word;
    for (Thread& other : threads_) {
      if (&other == &self()) continue;
      ++other.written_by_others;
      other.waiting = false;
    }
    // An eviction is counted by the operation, beyond the round.
    if (!word::is_claim(before) && word::is_claim(after) && word::value(before) != 0)
      mix(self().read_before, before);
    if (word::is_claim(after) || after == word::empty) return;
    const auto same = [&](std::uint64_t seen) { return word::is_member_of(seen, word::tag(after)); };
    if (std::ranges::count_if(scenario_->words, same) > 1) failure_ = "a key has two members";
  }
  void pause() {
    Thread& self = this->self();
    ++self.pauses;
    self.read = self.read_before;
    mix(self.read, self.pauses >= patience ? 1U : 0U);
    const bool nothing_new = self.written_by_others == 0;
    self.written_by_others = 0;
    if (self.pauses >= patience) self.rushing = false;
    if (self.rushing || !nothing_new || self.pauses >= patience) return;
    self.waiting = true;
    yield();
  }
  std::uint64_t claim_id() const { return static_cast<std::uint64_t>(current_) + 1; }

 private:
  static constexpr int patience = 32;  // Table's

  struct Thread {
    Fiber fiber;
    std::uint64_t read = 0;         // a hash of all that it has read
    std::uint64_t read_before = 0;  // and of what of it outlives the round
    std::uint64_t written_by_others = 0;
    int pauses = 0;
    bool waiting = false;  // for another's write
    bool rushing = false;  // through rounds that find nothing new
  };
  struct Choice {
    std::size_t thread;
    bool rush;
    bool preempts;
  };
  struct Node {
    std::uint64_t state;
    std::vector<Choice> choices;
    std::size_t next = 0;
    double interleavings = 0;
  };

  static void mix(std::uint64_t& hash, std::uint64_t value) {
    hash = (hash ^ value) * 0x9e3779b97f4a7c15U;
    hash ^= hash >> 29;
    hash *= 0xbf58476d1ce4e5b9U;
    hash ^= hash >> 32;
  }
  Thread& self() { return threads_[static_cast<std::size_t>(current_)]; }
  bool waiting(int thread) const { return threads_[static_cast<std::size_t>(thread)].waiting; }

  void yield() {
    const int before = current_;
    pick();
    if (current_ == before && failure_.empty() && !known_) return;
    threads_[static_cast<std::size_t>(before)].fiber.stop();
  }

  // Sets who goes on; current_ is who was running, or -1.
  void pick() {
    if (!failure_.empty() || known_) return;
    std::vector<Choice> choices;
    const bool could_go_on = current_ >= 0 && !self().fiber.finished() && !self().waiting;
    if (could_go_on) choices.push_back({static_cast<std::size_t>(current_), false, false});
    if (!could_go_on || preemptions_left_ > 0) {
      for (std::size_t at = 0; at < threads_.size(); ++at) {
        if (static_cast<int>(at) == current_ && could_go_on) continue;
        if (!threads_[at].fiber.finished() && !threads_[at].waiting)
          choices.push_back({at, false, could_go_on});
      }
    }
    const bool nobody = choices.empty();
    for (std::size_t at = 0; at < threads_.size(); ++at) {
      if (threads_[at].waiting && (nobody || static_cast<int>(at) == current_))
        choices.push_back({at, true, false});
    }
    if (choices.empty()) {
      current_ = -1;
      return;
    }
    const Choice chosen = choices.size() == 1 ? choices.front() : choose_(choices);
    if (known_) return;
    current_ = static_cast<int>(chosen.thread);
    if (chosen.preempts) --preemptions_left_;
    if (chosen.rush) {
      self().waiting = false;
      self().rushing = true;
    }
  }

  void run(const Scenario& scenario) {
    scenario_ = &scenario;
    threads_.resize(scenario.threads.size());
    for (std::size_t at = 0; at < threads_.size(); ++at) {
      Thread& thread = threads_[at];
      thread.read = thread.read_before = thread.written_by_others = 0;
      thread.pauses = 0;
      thread.waiting = thread.rushing = false;
      thread.fiber.start(scenario.threads[at]);
    }
    failure_.clear();
    known_ = false;
    active = nullptr;
    scenario.reset();
    active = this;
    current_ = -1;
    for (pick(); current_ >= 0 && failure_.empty() && !known_;) {
      Thread& running = self();
      running.fiber.resume();
      if (running.fiber.finished()) pick();
    }
    active = nullptr;
  }

  std::uint64_t state() const {
    std::uint64_t hash = 0;
    for (const std::uint64_t word : scenario_->words) mix(hash, word);
    for (const Thread& thread : threads_) {
      mix(hash, thread.read);
      mix(hash, std::uint64_t{thread.written_by_others > 0} << 2 | std::uint64_t{thread.waiting} << 1 |
                    std::uint64_t{thread.fiber.finished()});
    }
    // Without a bound on preemptions it does not matter who was running.
    if (preemptions_left_ < unbounded / 2) {
      mix(hash, static_cast<std::uint64_t>(preemptions_left_));
      mix(hash, static_cast<std::uint64_t>(current_));
    } else {
      mix(hash, current_ >= 0 && threads_[static_cast<std::size_t>(current_)].waiting ? 1U : 0U);
    }
    return hash;
  }

  Explored search(const Scenario& scenario, int preemptions) {
    Explored found;
    std::unordered_map<std::uint64_t, double> seen;
    std::vector<Node> path;
    do {
      std::size_t depth = 0;
      double below = 1;
      preemptions_left_ = preemptions;
      choose_ = [&](const std::vector<Choice>& choices) {
        if (depth == path.size()) {
          const std::uint64_t here = state();
          if (const auto [at, is_new] = seen.try_emplace(here, 0); !is_new) {
            known_ = true;
            below = at->second;
            return choices.front();
          }
          path.push_back({here, choices});
        }
        const Node& node = path[depth++];
        return node.choices[node.next];
      };
      run(scenario);
      ++found.runs;
      if (failure_.empty() && !known_) failure_ = scenario.check();
      if (!failure_.empty()) {
        found.failure = failure_ + "; at each choice:";
        for (const Node& node : path) found.failure += ' ' + std::to_string(node.choices[node.next].thread);
        return found;
      }
      if (!path.empty()) path.back().interleavings += below;
      while (!path.empty() && ++path.back().next == path.back().choices.size()) {
        const double whole = path.back().interleavings;
        seen[path.back().state] = whole;
        path.pop_back();
        (path.empty() ? found.interleavings : path.back().interleavings) += whole;
      }
    } while (!path.empty() && shared_ == written_);
    found.states = seen.size();
    return found;
  }

  std::set<const std::uint64_t*> written_;  // words that any run has tried to write
  std::set<const std::uint64_t*> shared_;   // those known when the search began: the points of choice
  bool everywhere_ = false;
  std::vector<Thread> threads_;
  const Scenario* scenario_ = nullptr;
  std::function<Choice(const std::vector<Choice>&)> choose_;
  int current_ = -1;
  int preemptions_left_ = unbounded;
  std::string failure_;
  bool known_ = false;  // this run has come to a state that was seen before
};

// Outside a run these are plain accesses.
struct ScheduledAtomics {
  static std::uint64_t load(const std::uint64_t& word, std::memory_order) {
    if (Schedule* schedule = Schedule::active) {
      schedule->before_access(word, false);
      schedule->after_access(word);
    }
    return word;
  }
  static bool compare_exchange_weak(std::uint64_t& word, std::uint64_t& expected, std::uint64_t desired,
                                    std::memory_order) {
    if (Schedule::active) Schedule::active->before_access(word, true);
    const std::uint64_t before = word;
    if (Schedule::active) Schedule::active->after_access(before);
    if (before != expected) {
      expected = before;
      return false;
    }
    word = desired;
    if (Schedule::active) Schedule::active->after_write(before, desired);
    return true;
  }
  static bool compare_exchange_strong(std::uint64_t& word, std::uint64_t& expected, std::uint64_t desired,
                                      std::memory_order order) {
    return compare_exchange_weak(word, expected, desired, order);
  }
  static void pause() {
    if (Schedule::active) Schedule::active->pause();
  }
  static std::uint64_t claim_id() { return Schedule::active ? Schedule::active->claim_id() : 1; }
};

}  // namespace sekisho::test
