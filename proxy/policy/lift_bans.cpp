#include "proxy/policy/lift_bans.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "config/ip_address.hpp"
#include "ratelimit/bans.hpp"

namespace sekisho::policy {
namespace {

// As bans of that address are listed: the address, or the prefix or network that it is one client by.
std::vector<std::string> ban_texts(std::string_view client, const config::ClientIp& ip) {
  std::vector<std::string> texts{std::string(client)};
  const auto address = config::IpAddress::parse(client);
  if (!address) return texts;
  const auto add = [&](std::string text) {
    if (std::ranges::find(texts, text) == texts.end()) texts.push_back(std::move(text));
  };
  add(address->to_string());
  for (const auto& [v4, v6] :
       {std::pair(ip.prefix_ipv4, ip.prefix_ipv6), std::pair(ip.network_ipv4, ip.network_ipv6)}) {
    const std::string network = address->truncated(v4, v6).to_string();
    add(network);
    add(fmt::format("{}/{}", network, address->is_v4() ? v4 : v6));
  }
  return texts;
}

}  // namespace

std::uint64_t lift_bans(const LimitSet& set, const config::Config& config, std::string_view client,
                        ratelimit::Instant now) {
  std::uint64_t lifted = 0;
  for (const std::string& text : ban_texts(client, config.client_ip)) {
    for (const ratelimit::BanEntry& ban : set.bans->find(text, now))
      lifted += set.bans->lift(ban, now) ? 1 : 0;
  }
  return lifted;
}

}  // namespace sekisho::policy
