// The limits' tables and clocks, which belong to the limits (name and key) and outlive every configuration.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/diagnostics.hpp"
#include "ratelimit/bans.hpp"
#include "ratelimit/key.hpp"
#include "ratelimit/limiter.hpp"

namespace sekisho::policy {

// `decision` labels of sekisho_limit_decisions_total.
enum class LimitDecision : std::uint8_t { allowed, limited, delayed, banned, blocked, shadow };
inline constexpr std::size_t limit_decision_count = 6;

inline constexpr unsigned max_workers = 64;

// One worker's counts for one limit; written by that worker alone, read by the scraper.
struct alignas(64) LimitCounts {
  std::array<std::atomic<std::uint64_t>, limit_decision_count> decisions{};
};

// What a limit keeps over reloads.
struct LimitState {
  std::string name;
  std::string key_recipe;                           // canonical text of its key; another recipe is another limit
  std::uint64_t salt = 0;                           // of its bans' keys: from its name
  std::unique_ptr<ratelimit::Limiter> limiter;      // absent for `block`
  std::unique_ptr<ratelimit::Limiter> strikes;      // present with `ban` where after > 1
  std::uint64_t capacity = 0;
  std::vector<LimitCounts> counts;                  // by worker
};

// The states one configuration uses, in the order of its limits.
struct LimitSet {
  std::vector<std::shared_ptr<LimitState>> limits;
  std::shared_ptr<ratelimit::Bans> bans;
  ratelimit::KeyHasher hasher{ratelimit::Secret{}};
};

// Owns the current states and makes the next ones. Used by the control thread alone.
class LimitStates {
 public:
  LimitStates(ratelimit::Secret secret, unsigned workers);

  // States for `config`: those of the same name and key recipe are taken over, new ones are made (memory taken whole, after a
  // look at the memory limit of the cgroup). What cannot be taken over without a restart, and what does not fit, is an error.
  // Changes nothing that is in use.
  LimitSet prepare(const config::Config& config, ratelimit::Instant now, config::Diagnostics& diagnostics);
  // Makes `set` the current one and bends the clocks of the limits whose rate or burst changed. Call when every engine
  // compiled from it is ready to be handed out.
  void commit(const config::Config& config, LimitSet set, ratelimit::Instant now);

  const LimitSet& current() const { return current_; }
  // Bytes that the tables of `config` take in all.
  static std::uint64_t bytes_needed(const config::Config& config);

  void sweep(ratelimit::Instant now);

 private:
  LimitSet current_;
  unsigned workers_;
};

// The quota that `limit` enforces on one of `fleet.tasks` tasks: rate/tasks; burst/tasks but not below min(burst, 5).
ratelimit::Quota effective_quota(const config::Limit& limit, const config::Fleet& fleet);

}  // namespace sekisho::policy
