#include "proxy/policy/limit_states.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <new>
#include <optional>
#include <span>

#include "proxy/policy/fnv.hpp"

namespace sekisho::policy {
namespace {

using ratelimit::Limiter;
using ratelimit::Quota;

// For a file without bans: they are looked up all the same, and a later file may have some.
constexpr std::uint64_t idle_bans_capacity = 64;
constexpr std::uint64_t checking_capacity = 64;

bool has_bans(const config::Config& config) {
  return std::ranges::any_of(config.limits, [](const config::Limit& limit) { return limit.ban.has_value(); });
}

std::vector<ratelimit::BanningLimit> banning_limits(const config::Config& config) {
  std::vector<ratelimit::BanningLimit> limits;
  for (const config::Limit& limit : config.limits) {
    if (!limit.ban || limit.shadow) continue;
    if (const auto recipe = KeyRecipe::parse(limit.key, client_prefixes(config), nullptr))
      limits.push_back({limit.name.value, recipe->ban_recipe().salt()});
  }
  return limits;
}

// A key that cannot be read is the engine's to report; until then its text stands for it.
std::string recipe_text(const config::Limit& limit, const config::Config& config) {
  if (const auto recipe = KeyRecipe::parse(limit.key, client_prefixes(config), nullptr)) {
    // Strikes are counted by the ban's recipe, which follows from the key's.
    return recipe->canonical();
  }
  std::string text = "unreadable";
  for (const config::Text& part : limit.key) text += "," + part.value;
  return text;
}

std::shared_ptr<LimitState> make_state(const config::Limit& limit, std::string recipe, unsigned workers) {
  auto state = std::make_shared<LimitState>();
  state->name = limit.name.value;
  state->key_recipe = std::move(recipe);
  state->salt = fnv1a(limit.name.value);
  state->counts_owner = std::shared_ptr<LimitCounts[]>(new LimitCounts[workers]);
  state->counts = {state->counts_owner.get(), workers};
  return state;
}

// Adds up what is to be taken, by the setting that each part of it is for.
class MemorySum {
 public:
  explicit MemorySum(const config::Config& config) : config_(config) {}

  void add(const config::Limit& limit, const TableChange& change) {
    if (limit.capacity) {
      add(fmt::format("the capacity of limit {}", limit.name.value), limit.capacity->mark,
          change.bytes_for_clients());
    } else {
      add_clients(change.bytes_for_clients());
    }
    add("client.max_connections", config_.client.max_connections_mark, change.bytes_for_exchanges());
  }
  void add_clients(std::uint64_t bytes) { add("table.capacity", config_.table_capacity.mark, bytes); }

  MemoryNeed sum() const {
    MemoryNeed need;
    for (const auto& [setting, part] : parts_) {
      need.bytes += part.bytes;
      if (part.bytes <= need.largest_bytes) continue;
      need.largest = setting;
      need.largest_bytes = part.bytes;
      need.mark = part.mark;
    }
    return need;
  }

 private:
  struct Part {
    config::Mark mark;
    std::uint64_t bytes = 0;
  };

  void add(const std::string& setting, config::Mark mark, std::uint64_t bytes) {
    Part& part = parts_[setting];
    part.mark = mark;
    part.bytes += bytes;
  }

  const config::Config& config_;
  std::map<std::string, Part> parts_;
};

// Says so where a quota cannot be enforced.
void check_quota(const std::optional<Quota>& quota, config::Mark mark, std::string_view limit,
                 std::string_view what, config::Diagnostics& diagnostics) {
  if (!quota || Limiter::representable(*quota)) return;
  diagnostics.error(
      mark, fmt::format("limit '{}': this {} is out of the range that can be counted exactly", limit, what));
}

void check_quotas(const config::Limit& limit, const TableNeeds& needs, config::Diagnostics& diagnostics) {
  const std::string& name = limit.name.value;
  const config::Mark rate = limit.rate ? limit.rate->mark : limit.mark;
  check_quota(needs.rate, rate, name, "rate, burst or delay", diagnostics);
  check_quota(needs.path, rate, name, "rate's period", diagnostics);
  check_quota(needs.strikes, limit.ban ? limit.ban->mark : limit.mark, name, "ban's after or within",
              diagnostics);
}

// False where the system refuses the memory, and the table keeps the quota it had.
bool take_share(const std::shared_ptr<Limiter>& table, const std::optional<Quota>& quota,
                ratelimit::Instant now) {
  if (!table || !quota || table->quota() == *quota) return true;
  try {
    table->rescale(*quota, now);
  } catch (const std::bad_alloc&) {
    return false;
  }
  return true;
}

// Of those before: the limit of that name, whatever its key.
const LimitState* namesake(const LimitSet& set, std::string_view name) {
  for (const auto& state : set.limits) {
    if (state->name == name) return state.get();
  }
  return nullptr;
}

}  // namespace

ClientPrefixes client_prefixes(const config::Config& config) {
  const config::ClientIp& ip = config.client_ip;
  return {ip.prefix_ipv4, ip.prefix_ipv6, ip.network_ipv4, ip.network_ipv6};
}

LimitStates::LimitStates(ratelimit::Secret secret, unsigned workers, MemoryLook look)
    : workers_(workers), look_at_memory_(look) {
  current_.hasher = ratelimit::KeyHasher(secret);
}

LimitSet LimitStates::for_checking(const config::Config& config, ratelimit::Instant now) {
  LimitSet set;
  set.bans = std::make_shared<ratelimit::Bans>(checking_capacity, now);
  for (const config::Limit& limit : config.limits) {
    auto state = make_state(limit, recipe_text(limit, config), 1);
    TableNeeds needs(limit, config, config.fleet);
    needs.capacity = checking_capacity;
    needs.exchanges = std::min<std::size_t>(needs.exchanges, checking_capacity);
    for (auto* quota : {&needs.rate, &needs.strikes, &needs.path}) {
      if (*quota && !Limiter::representable(**quota)) quota->reset();
    }
    TableChange change(needs, {});
    change.take(now);
    static_cast<LimitTables&>(*state) = change.tables();
    set.limits.push_back(std::move(state));
  }
  return set;
}

LimitSet LimitStates::prepare(const config::Config& config, ratelimit::Instant now,
                              config::Diagnostics& diagnostics) {
  LimitSet set;
  set.hasher = current_.hasher;
  set.bans = current_.bans;
  set.changes = std::make_shared<LimitChanges>();

  const std::size_t before = diagnostics.all().size();
  MemorySum sum(config);
  for (const config::Limit& limit : config.limits) {
    auto state = make_state(limit, recipe_text(limit, config), workers_);
    const LimitState* old = namesake(current_, limit.name.value);
    if (old != nullptr) {
      state->counts_owner = old->counts_owner;
      state->counts = old->counts;
    }
    const TableNeeds needs(limit, config, in_force(config.fleet));
    check_quotas(limit, needs, diagnostics);
    const bool same = old != nullptr && old->key_recipe == state->key_recipe;
    set.changes->tables.emplace_back(needs, same ? LimitTables(*old) : LimitTables());
    sum.add(limit, set.changes->tables.back());
    set.limits.push_back(std::move(state));
  }
  // A file without bans has a small table, for they are looked up all the same; one that was made stays.
  const bool banning = has_bans(config);
  const std::uint64_t for_bans = banning ? config.table_capacity.value : idle_bans_capacity;
  const bool new_bans = !set.bans || (banning && set.bans->capacity() != for_bans);
  if (new_bans) sum.add_clients(ratelimit::Bans::bytes_for(for_bans));

  const MemoryNeed need = sum.sum();
  if (const auto problem = memory_problem(need, look_at_memory_())) diagnostics.error(need.mark, *problem);
  const auto found = std::span(diagnostics.all()).subspan(before);
  if (std::ranges::any_of(
          found, [](const config::Diagnostic& item) { return item.severity == config::Severity::error; })) {
    set.limits.clear();
    return set;
  }

  try {
    for (std::size_t i = 0; i < set.limits.size(); ++i) {
      TableChange& change = set.changes->tables[i];
      change.take(now);
      static_cast<LimitTables&>(*set.limits[i]) = change.tables();
    }
    if (new_bans && set.bans) {
      set.changes->bans = ratelimit::Bans::make_room(for_bans);
    } else if (new_bans) {
      set.bans = std::make_shared<ratelimit::Bans>(for_bans, now);
    }
  } catch (const std::bad_alloc&) {
    diagnostics.error(need.mark,
                      fmt::format("the system refuses the {} that the limits' tables need: lower {}",
                                  format_bytes(need.bytes), need.largest));
    set.limits.clear();
  }
  return set;
}

void LimitStates::commit(const config::Config& config, LimitSet set, ratelimit::Instant now) {
  auto banning = banning_limits(config);
  const std::uint64_t tasks = in_force(config.fleet).tasks;
  for (TableChange& change : set.changes->tables) change.apply(now);
  if (set.changes->bans) set.bans->resize(std::move(set.changes->bans));
  *set.changes = {};  // the engines have it too
  current_ = std::move(set);
  current_.bans->enforce(std::move(banning));
  tasks_ = tasks;
}

config::Fleet LimitStates::in_force(const config::Fleet& fleet) const {
  return fleet.dns_name.empty() ? fleet : config::Fleet{tasks_, fleet.dns_name};
}

std::vector<std::string> LimitStates::share_among(std::uint64_t tasks, const config::Config& config,
                                                  ratelimit::Instant now) {
  tasks_ = tasks;
  std::vector<std::string> unchanged;
  for (std::size_t i = 0; i < current_.limits.size(); ++i) {
    const LimitState& state = *current_.limits[i];
    const TableNeeds needs(config.limits[i], config, {tasks, {}});
    const bool fits = can_share(state.limiter, needs.rate) && can_share(state.paths, needs.path);
    if (!fits || !take_share(state.limiter, needs.rate, now) || !take_share(state.paths, needs.path, now))
      unchanged.push_back(state.name);
  }
  return unchanged;
}

bool LimitStates::can_share(const std::shared_ptr<Limiter>& table, const std::optional<Quota>& quota) const {
  if (!table || !quota) return true;
  if (!Limiter::representable(*quota)) return false;
  if (!table->needs_room(*quota, table->capacity())) return true;
  MemoryNeed need;
  need.bytes = Limiter::bytes_for(table->capacity());
  return !memory_problem(need, look_at_memory_());
}

MemoryNeed LimitStates::memory_needed(const config::Config& config) {
  MemorySum sum(config);
  sum.add_clients(
      ratelimit::Bans::bytes_for(has_bans(config) ? config.table_capacity.value : idle_bans_capacity));
  for (const config::Limit& limit : config.limits)
    sum.add(limit, TableChange(TableNeeds(limit, config, config.fleet), {}));
  return sum.sum();
}

void LimitStates::sweep(ratelimit::Instant now, ratelimit::Instant quiet) {
  for (const auto& state : current_.limits) {
    for (const auto& table : {state->limiter, state->strikes, state->paths}) {
      if (table) table->sweep(now, quiet);
    }
    if (state->in_flight) state->in_flight->sweep(now, quiet);
  }
  if (current_.bans) current_.bans->sweep(now, quiet);
}

}  // namespace sekisho::policy
