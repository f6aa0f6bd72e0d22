#include "proxy/policy/lift_bans.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/ip_address.hpp"
#include "proxy/policy/key_recipe.hpp"
#include "ratelimit/bans.hpp"

namespace sekisho::policy {
namespace {

// Whom the operator names.
struct Named {
  std::string text;  // as bans are listed
  std::optional<config::IpAddress> address;
  bool network = false;  // that whose first address this is
};

// "[2001:DB8::1]" and "2001:DB8:0::/64" are 2001:db8::1 and 2001:db8::/64.
Named read_name(std::string_view text) {
  std::string bare(text);
  const std::size_t end = bare.find(']');
  if (bare.starts_with('[') && end != std::string::npos && (end + 1 == bare.size() || bare[end + 1] == '/'))
    bare.erase(end, 1).erase(0, 1);
  const auto network = config::Network::parse(bare);
  if (!network) return {std::string(text), std::nullopt, false};
  const config::IpAddress address = network->address();
  const bool whole = network->prefix_length() == 128;
  return {whole ? address.to_string() : network->to_string(), address, !whole};
}

// What bans of that client may be listed as: the address, or the prefix or network that it is one client by.
std::vector<std::string> ban_texts(const Named& named, const config::ClientIp& ip) {
  std::vector<std::string> texts{named.text};
  if (!named.address || named.network) return texts;
  const auto add = [&](std::string text) {
    if (std::ranges::find(texts, text) == texts.end()) texts.push_back(std::move(text));
  };
  for (const auto& [v4, v6] :
       {std::pair(ip.prefix_ipv4, ip.prefix_ipv6), std::pair(ip.network_ipv4, ip.network_ipv6)}) {
    const std::string network = named.address->truncated(v4, v6).to_string();
    add(network);
    add(fmt::format("{}/{}", network, named.address->is_v4() ? v4 : v6));
  }
  return texts;
}

// The ban that the limit would have of this client; nullopt where more than an address makes its key, or it
// goes by another network. A header or cookie in it is taken for absent, so that the address stands for it.
std::optional<ratelimit::BanEntry> ban_of(const Named& named, const config::Limit& limit,
                                          const LimitState& state, const config::Config& config,
                                          const ratelimit::KeyHasher& hasher) {
  if (!named.address || !limit.ban || limit.shadow) return std::nullopt;
  const auto key = KeyRecipe::parse(limit.key, client_prefixes(config), nullptr);
  if (!key) return std::nullopt;
  const KeyRecipe recipe = key->ban_recipe();
  for (const KeyPartKind kind :
       {KeyPartKind::host, KeyPartKind::path, KeyPartKind::method, KeyPartKind::global}) {
    if (recipe.has(kind)) return std::nullopt;
  }
  const Request request;
  const KeySource source{&request, *named.address, {}, {}};
  ratelimit::BanEntry ban;
  recipe.append_text(source, hasher, ban.client);
  if (named.network && ban.client != named.text) return std::nullopt;
  ban.key = recipe.key(source, hasher, state.salt);
  ban.limit = state.name;
  ban.recipe = recipe.salt();
  return ban;
}

// With its strikes, or the very next refusal would set it again. They go first: while the ban holds there are
// none.
bool lift(const LimitSet& set, const ratelimit::BanEntry& ban, ratelimit::Instant now) {
  for (const auto& state : set.limits) {
    if (state->name == ban.limit && state->strikes) state->strikes->forgive(ban.key, now);
  }
  return set.bans->lift(ban, now);
}

}  // namespace

std::uint64_t lift_bans(const LimitSet& set, const config::Config& config, std::string_view client,
                        ratelimit::Instant now) {
  const Named named = read_name(client);
  std::uint64_t lifted = 0;
  for (const std::string& text : ban_texts(named, config.client_ip)) {
    for (const ratelimit::BanEntry& ban : set.bans->find(text, now)) lifted += lift(set, ban, now) ? 1 : 0;
  }
  // Those that are not listed have no text: their keys are made anew.
  for (std::size_t i = 0; i < set.limits.size(); ++i) {
    const auto ban = ban_of(named, config.limits[i], *set.limits[i], config, set.hasher);
    if (ban && set.bans->banned_for(ban->key, now)) lifted += lift(set, *ban, now) ? 1 : 0;
  }
  return lifted;
}

}  // namespace sekisho::policy
