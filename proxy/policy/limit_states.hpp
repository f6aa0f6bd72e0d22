// The limits' tables and clocks, which belong to the limits (name and key) and outlive every configuration.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/diagnostics.hpp"
#include "proxy/policy/key_recipe.hpp"
#include "proxy/policy/limit_tables.hpp"
#include "proxy/policy/memory_bound.hpp"
#include "ratelimit/bans.hpp"
#include "ratelimit/key.hpp"
#include "ratelimit/recent_keys.hpp"

namespace sekisho::policy {

// `decision` labels of sekisho_limit_decisions_total.
enum class LimitDecision : std::uint8_t { allowed, limited, delayed, banned, blocked, shadow };
inline constexpr std::size_t limit_decision_count = 6;

inline constexpr unsigned max_workers = 64;

// One worker's counts for one limit; written by that worker alone, read by the scraper.
struct alignas(64) LimitCounts {
  std::array<std::atomic<std::uint64_t>, limit_decision_count> decisions{};
  ratelimit::RecentKeys refused;  // the keys that it refused
};

// What a limit keeps over reloads. Immutable once made: a reload that adds or drops a table makes another
// LimitState which shares the tables that stay, because engines of older configurations still use this one.
struct LimitState : LimitTables {
  std::string name;
  std::string key_recipe;                       // canonical text of its key; another recipe is another limit
  std::uint64_t salt = 0;                       // of its bans' keys: from its name
  std::shared_ptr<LimitCounts[]> counts_owner;  // lives as long as a limit of that name does
  std::span<LimitCounts> counts;                // by worker
};

// What commit() does to the tables that stay.
struct LimitChanges {
  std::vector<TableChange> tables;
  ratelimit::Bans::RoomPtr bans;  // absent: as large as before
};

// The states one configuration uses, in the order of its limits.
struct LimitSet {
  std::vector<std::shared_ptr<LimitState>> limits;
  std::shared_ptr<ratelimit::Bans> bans;
  ratelimit::KeyHasher hasher{ratelimit::Secret{}};
  std::shared_ptr<LimitChanges> changes;  // until commit()
};

// Owns the current states and makes the next ones. Used by the control thread alone.
class LimitStates {
 public:
  using MemoryLook = std::optional<MemoryBound> (*)();

  LimitStates(ratelimit::Secret secret, unsigned workers, MemoryLook look = present_memory_bound);

  // States to check a file by, or to explain a request: whole but for their tables, which are of the least
  // size.
  static LimitSet for_checking(const config::Config& config, ratelimit::Instant now);

  // States for `config`: those of the same name and key recipe are taken over, new ones are made (memory
  // taken whole, after a look at the memory limit of the cgroup). What does not fit is an error. Changes
  // nothing that is in use.
  LimitSet prepare(const config::Config& config, ratelimit::Instant now, config::Diagnostics& diagnostics);
  // Makes `set` the current one and gives the limits that it takes over their new quotas and sizes. Call when
  // every engine compiled from it is ready to be handed out.
  void commit(const config::Config& config, LimitSet set, ratelimit::Instant now);

  // The tasks that share the traffic: what the file says, or what was last said to share_among(); 1 at first.
  std::uint64_t tasks() const { return tasks_; }
  // From `now` on each limit of `config`, the current one, enforces its share among so many tasks; every
  // client keeps its tokens. The names of those that keep the quota they had, since the new one is out of the
  // range that they can count exactly, or takes another table that there is no memory for.
  std::vector<std::string> share_among(std::uint64_t tasks, const config::Config& config,
                                       ratelimit::Instant now);

  const LimitSet& current() const { return current_; }
  // What the tables of `config` take in all.
  static MemoryNeed memory_needed(const config::Config& config);
  // Bytes of what is kept for each limit and worker beside the tables.
  static std::uint64_t bytes_of_counts(const config::Config& config, unsigned workers) {
    return sizeof(LimitCounts) * config.limits.size() * workers;
  }

  // Sweeps every table in turn; once a minute at the least. `quiet`: every worker was between two turns of
  // its loop at some moment no earlier than this.
  void sweep(ratelimit::Instant now, ratelimit::Instant quiet);

 private:
  // Whether the table can count the quota exactly, and has the memory where that takes another table.
  bool can_share(const std::shared_ptr<ratelimit::Limiter>& table,
                 const std::optional<ratelimit::Quota>& quota) const;
  // As written, or with the number counted last where a name is.
  config::Fleet in_force(const config::Fleet& fleet) const;

  LimitSet current_;
  unsigned workers_;
  MemoryLook look_at_memory_;
  std::uint64_t tasks_ = 1;
};

// What limits of `config` call one client and one network.
ClientPrefixes client_prefixes(const config::Config& config);

}  // namespace sekisho::policy
