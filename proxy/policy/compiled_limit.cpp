#include "proxy/policy/compiled_limit.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "config/scalars.hpp"

namespace sekisho::policy {
namespace {

config::Action action_of(const config::Limit& limit) {
  if (limit.action) return *limit.action;
  config::Action action;
  action.status = limit.block ? 403 : 429;
  return action;
}

// Seconds from empty to full, rounded up.
std::uint64_t window_of(const ratelimit::Quota& quota) {
  const long double period = std::chrono::duration<long double>(quota.period).count();
  const long double seconds =
      std::ceil(period * static_cast<long double>(quota.burst) / static_cast<long double>(quota.count));
  return static_cast<std::uint64_t>(std::clamp(seconds, 1.0L, 999'999'999'999'999.0L));
}

// What is no status is the configuration's error, and a file with errors is compiled too: it stands for none.
std::bitset<600> statuses_of(const config::OnStatus& on_status) {
  std::bitset<600> statuses;
  std::string reported;
  for (const config::Text& code : on_status.codes) {
    const auto range = config::parse_statuses(code.value, reported);
    if (!range) continue;
    for (unsigned status = range->first; status <= range->last; ++status) statuses.set(status);
  }
  return statuses;
}

}  // namespace

std::uint64_t CompiledLimit::policy_window() const {
  return window_of(state->limiter->quota());
}

std::vector<CompiledLimit> compile_limits(const config::Config& config, const LimitSet& states,
                                          config::Diagnostics& diagnostics) {
  std::vector<CompiledLimit> limits;
  std::map<std::string, std::size_t, std::less<>> slots;
  for (std::size_t i = 0; i < config.limits.size(); ++i) {
    const config::Limit& source = config.limits[i];
    Match match = Match::compile(source.match, diagnostics);
    std::optional<KeyRecipe> key = KeyRecipe::parse(source.key, client_prefixes(config), &diagnostics);
    // A set that could not be prepared has its problems in `diagnostics`; the patterns are looked at all the
    // same.
    if (!key || i >= states.limits.size()) continue;

    CompiledLimit limit{&source, states.limits[i], i,  std::move(match),  *std::move(key),
                        0,       std::nullopt,     {}, action_of(source), {}};
    limit.key_slot = slots.try_emplace(limit.key.canonical(), slots.size()).first->second;
    if (source.ban && !source.shadow) {
      limit.banned = limit.key.ban_recipe();
      limit.terms = {source.ban->length, source.ban->up_to, limit.banned->salt()};
    }
    limit.statuses = statuses_of(source.on_status);
    limits.push_back(std::move(limit));
  }
  return limits;
}

}  // namespace sekisho::policy
