// Bans that an operator lifts by hand.
#pragma once

#include <cstdint>
#include <string_view>

#include "config/config.hpp"
#include "proxy/policy/limit_states.hpp"
#include "ratelimit/instant.hpp"

namespace sekisho::policy {

// Lifts the bans of `client`: an address or network in any spelling, or a client's text as bans are listed.
// `set` is that of `config`. Returns how many were lifted.
std::uint64_t lift_bans(const LimitSet& set, const config::Config& config, std::string_view client,
                        ratelimit::Instant now);

}  // namespace sekisho::policy
