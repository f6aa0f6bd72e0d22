// One limit of a configuration, made ready for one worker.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "config/config.hpp"
#include "config/diagnostics.hpp"
#include "config/quotas.hpp"
#include "proxy/policy/key_recipe.hpp"
#include "proxy/policy/limit_states.hpp"
#include "proxy/policy/match.hpp"
#include "ratelimit/bans.hpp"

namespace sekisho::policy {

struct CompiledLimit {
  const config::Limit* source = nullptr;
  std::shared_ptr<LimitState> state;
  std::size_t index = 0;  // in the file's order
  Match match;
  KeyRecipe key;
  std::size_t key_slot = 0;         // limits of equal keys share one
  std::optional<KeyRecipe> banned;  // whom its ban refuses; absent without ban, and in its own shadow
  ratelimit::BanTerms terms;
  config::Action action;
  std::bitset<600> statuses;  // of on_status: a response with one of these is charged, and no other

  // RateLimit-Policy's w: seconds from empty to full, rounded up; of the quota in force, which may change
  // while this limit serves. Requires rated().
  std::uint64_t policy_window() const;

  bool rated() const { return state->limiter != nullptr; }
  bool counted() const { return state->in_flight != nullptr; }
  // Charged when the response is known, not before.
  bool late() const { return statuses.any(); }
  bool enforced() const { return !source->shadow; }
};

// In the file's order. Limits with problems (added to `diagnostics`) are left out.
std::vector<CompiledLimit> compile_limits(const config::Config& config, const LimitSet& states,
                                          config::Diagnostics& diagnostics);

}  // namespace sekisho::policy
