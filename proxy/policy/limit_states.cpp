#include "proxy/policy/limit_states.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <new>

#include "config/quotas.hpp"
#include "proxy/policy/fnv.hpp"
#include "proxy/policy/memory_bound.hpp"

namespace sekisho::policy {
namespace {

using ratelimit::Limiter;
using ratelimit::Quota;

// For a file without bans: they are looked up all the same, and a later file may have some.
constexpr std::uint64_t idle_bans_capacity = 64;
constexpr std::uint64_t checking_capacity = 64;

std::uint64_t capacity_of(const config::Limit& limit, const config::Config& config) {
  return limit.capacity ? limit.capacity->value : config.table_capacity.value;
}

bool has_strikes(const config::Limit& limit) {
  return limit.ban && limit.ban->after > 1;
}

bool has_bans(const config::Config& config) {
  return std::ranges::any_of(config.limits, [](const config::Limit& limit) { return limit.ban.has_value(); });
}

std::vector<std::string> banning_limits(const config::Config& config) {
  std::vector<std::string> names;
  for (const config::Limit& limit : config.limits) {
    if (limit.ban && !limit.shadow) names.push_back(limit.name.value);
  }
  return names;
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

std::shared_ptr<LimitState> make_state(const config::Limit& limit, std::string recipe, std::uint64_t capacity,
                                       unsigned workers) {
  auto state = std::make_shared<LimitState>();
  state->name = limit.name.value;
  state->key_recipe = std::move(recipe);
  state->salt = fnv1a(limit.name.value);
  state->capacity = capacity;
  state->counts_owner = std::shared_ptr<LimitCounts[]>(new LimitCounts[workers]);
  state->counts = {state->counts_owner.get(), workers};
  return state;
}

// What one limit of the next file takes over, and what it needs anew.
struct Plan {
  const LimitState* old = nullptr;  // of the same name and key
  const LimitState* namesake = nullptr;
  std::string recipe;
  std::uint64_t capacity = 0;
  std::optional<Quota> rate, strikes;
};

// The tables to make where `wanted` is set and the old limit has none.
std::uint64_t bytes_for(const Plan& plan) {
  std::uint64_t bytes = 0;
  if (plan.rate && (plan.old == nullptr || !plan.old->limiter)) bytes += Limiter::bytes_for(plan.capacity);
  if (plan.strikes && (plan.old == nullptr || !plan.old->strikes)) bytes += Limiter::bytes_for(plan.capacity);
  return bytes;
}

// Whether `quota` can be enforced by `old` (nullptr: by a new table); says so where not.
void check_quota(const std::optional<Quota>& quota, const std::shared_ptr<Limiter>& old, config::Mark mark,
                 std::string_view limit, std::string_view what, config::Diagnostics& diagnostics) {
  if (!quota) return;
  if (!Limiter::representable(*quota)) {
    diagnostics.error(mark, fmt::format("limit '{}': this {} is out of the range that can be counted exactly",
                                        limit, what));
  } else if (old && !(old->quota() == *quota) && !old->can_rescale(*quota)) {
    diagnostics.error(mark,
                      fmt::format("limit '{}': so great a change of its {} needs a restart", limit, what));
  }
}

std::shared_ptr<Limiter> take_or_make(const std::optional<Quota>& quota, const std::shared_ptr<Limiter>& old,
                                      std::uint64_t capacity, ratelimit::Instant now) {
  if (!quota) return nullptr;
  return old ? old : std::make_shared<Limiter>(*quota, capacity, now);
}

std::optional<Quota> rate_of(const config::Limit& limit, const config::Fleet& fleet) {
  if (!limit.rate || limit.block) return std::nullopt;
  return config::quota_on_one_task(limit, fleet);
}

std::optional<Quota> strikes_of(const config::Limit& limit) {
  if (!has_strikes(limit)) return std::nullopt;
  return config::quota_of_strikes(*limit.ban);
}

}  // namespace

ClientPrefixes client_prefixes(const config::Config& config) {
  const config::ClientIp& ip = config.client_ip;
  return {ip.prefix_ipv4, ip.prefix_ipv6, ip.network_ipv4, ip.network_ipv6};
}

LimitStates::LimitStates(ratelimit::Secret secret, unsigned workers) : workers_(workers) {
  current_.hasher = ratelimit::KeyHasher(secret);
  current_.events = std::make_shared<BanEvents>();
}

LimitSet LimitStates::for_checking(const config::Config& config, ratelimit::Instant now) {
  LimitSet set;
  set.events = std::make_shared<BanEvents>();
  set.bans = std::make_shared<ratelimit::Bans>(checking_capacity, now);
  set.bans_capacity = checking_capacity;
  for (const config::Limit& limit : config.limits) {
    auto state = make_state(limit, recipe_text(limit, config), checking_capacity, 1);
    const auto table = [&](const std::optional<Quota>& quota) {
      return quota && Limiter::representable(*quota)
                 ? std::make_shared<Limiter>(*quota, checking_capacity, now)
                 : nullptr;
    };
    state->limiter = table(rate_of(limit, config.fleet));
    state->strikes = table(strikes_of(limit));
    set.limits.push_back(std::move(state));
  }
  return set;
}

LimitSet LimitStates::prepare(const config::Config& config, ratelimit::Instant now,
                              config::Diagnostics& diagnostics) {
  LimitSet set;
  set.hasher = current_.hasher;
  set.events = current_.events;

  bool good = true;
  const std::size_t before = diagnostics.all().size();
  std::vector<Plan> plans;
  std::uint64_t needed = 0;
  for (const config::Limit& limit : config.limits) {
    Plan plan;
    plan.recipe = recipe_text(limit, config);
    plan.capacity = capacity_of(limit, config);
    plan.rate = rate_of(limit, config.fleet);
    plan.strikes = strikes_of(limit);
    for (const auto& state : current_.limits) {
      if (state->name != limit.name.value) continue;
      plan.namesake = state.get();
      if (state->key_recipe == plan.recipe) plan.old = state.get();
    }
    const std::string& name = limit.name.value;
    if (plan.old != nullptr && plan.old->capacity != plan.capacity) {
      diagnostics.error(
          limit.capacity ? limit.capacity->mark : config.table_capacity.mark,
          fmt::format("limit '{}': its capacity was {}; a change needs a restart", name, plan.old->capacity));
    }
    check_quota(plan.rate, plan.old != nullptr ? plan.old->limiter : nullptr,
                limit.rate ? limit.rate->mark : limit.mark, name, "rate or burst", diagnostics);
    check_quota(plan.strikes, plan.old != nullptr ? plan.old->strikes : nullptr,
                limit.ban ? limit.ban->mark : limit.mark, name, "ban's after or within", diagnostics);
    needed += bytes_for(plan);
    plans.push_back(std::move(plan));
  }

  // The table of bans is made when a file first has some, and then stays.
  set.bans = current_.bans;
  set.bans_capacity = current_.bans_capacity;
  const bool wanted = has_bans(config);
  if (!set.bans || (wanted && set.bans_capacity == 0)) {
    set.bans = nullptr;
    set.bans_capacity = wanted ? config.table_capacity.value : 0;
    needed += ratelimit::Bans::bytes_for(wanted ? set.bans_capacity : idle_bans_capacity);
  } else if (wanted && set.bans_capacity != config.table_capacity.value) {
    diagnostics.error(
        config.table_capacity.mark,
        fmt::format("table.capacity was {} for the bans; a change needs a restart", set.bans_capacity));
  }

  if (const auto problem = memory_problem(needed, memory_bound()))
    diagnostics.error(config.table_capacity.mark, *problem);
  for (std::size_t i = before; i < diagnostics.all().size(); ++i) {
    good = good && diagnostics.all()[i].severity != config::Severity::error;
  }
  if (!good) return set;

  try {
    if (!set.bans)
      set.bans = std::make_shared<ratelimit::Bans>(wanted ? set.bans_capacity : idle_bans_capacity, now);
    for (std::size_t i = 0; i < plans.size(); ++i) {
      Plan& plan = plans[i];
      auto state = make_state(config.limits[i], std::move(plan.recipe), plan.capacity, workers_);
      state->limiter =
          take_or_make(plan.rate, plan.old != nullptr ? plan.old->limiter : nullptr, plan.capacity, now);
      state->strikes =
          take_or_make(plan.strikes, plan.old != nullptr ? plan.old->strikes : nullptr, plan.capacity, now);
      if (plan.namesake != nullptr) {
        state->counts_owner = plan.namesake->counts_owner;
        state->counts = plan.namesake->counts;
      }
      set.limits.push_back(std::move(state));
    }
  } catch (const std::bad_alloc&) {
    diagnostics.error(
        config.table_capacity.mark,
        fmt::format("the system refuses the {} that the limits' tables need: lower table.capacity",
                    format_bytes(needed)));
    set.limits.clear();
  }
  return set;
}

void LimitStates::commit(const config::Config& config, LimitSet set, ratelimit::Instant now) {
  for (std::size_t i = 0; i < set.limits.size(); ++i) {
    const auto bend = [now](const std::shared_ptr<Limiter>& limiter, const std::optional<Quota>& quota) {
      if (limiter && quota && !(limiter->quota() == *quota)) limiter->rescale(*quota, now);
    };
    bend(set.limits[i]->limiter, rate_of(config.limits[i], config.fleet));
    bend(set.limits[i]->strikes, strikes_of(config.limits[i]));
  }
  current_ = std::move(set);
  current_.bans->enforce(banning_limits(config));
}

std::uint64_t LimitStates::bytes_needed(const config::Config& config) {
  std::uint64_t bytes =
      ratelimit::Bans::bytes_for(has_bans(config) ? config.table_capacity.value : idle_bans_capacity);
  for (const config::Limit& limit : config.limits) {
    bytes += bytes_for(
        {nullptr, nullptr, {}, capacity_of(limit, config), rate_of(limit, config.fleet), strikes_of(limit)});
  }
  return bytes;
}

void LimitStates::sweep(ratelimit::Instant now) {
  for (const auto& state : current_.limits) {
    if (state->limiter) state->limiter->sweep(now);
    if (state->strikes) state->strikes->sweep(now);
  }
  if (!current_.bans) return;
  for (ratelimit::BanEntry& ended : current_.bans->sweep(now)) {
    current_.events->push({BanEvent::Kind::unban, std::move(ended.limit), std::move(ended.client),
                           ended.length, ended.repetition});
  }
}

}  // namespace sekisho::policy
