#include "proxy/policy/compiled_limit.hpp"

#include <algorithm>
#include <cmath>
#include <map>

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

// "404", or "4xx": each of its hundred.
std::bitset<600> statuses_of(const config::OnStatus& on_status) {
  std::bitset<600> statuses;
  for (const config::Text& code : on_status.codes) {
    const auto digit = [&](std::size_t at) { return static_cast<std::size_t>(code.value[at] - '0'); };
    if (code.value.ends_with("xx")) {
      for (std::size_t i = 0; i < 100; ++i) statuses.set(digit(0) * 100 + i);
    } else {
      statuses.set(digit(0) * 100 + digit(1) * 10 + digit(2));
    }
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
    // Codes that are none have their error already.
    if (!diagnostics.has_errors()) limit.statuses = statuses_of(source.on_status);
    limits.push_back(std::move(limit));
  }
  return limits;
}

}  // namespace sekisho::policy
