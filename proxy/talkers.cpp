#include "proxy/talkers.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace sekisho::proxy {
namespace {

// The prefix's 16 bytes, then how many bits of them (of the IPv4 form where it is one).
constexpr std::size_t client_bytes = 17;

ratelimit::Secret draw_secret() {
  ratelimit::Secret secret{};
  if (::getrandom(secret.data(), sizeof secret, 0) != static_cast<ssize_t>(sizeof secret)) std::abort();
  return secret;
}

}  // namespace

Talkers::Talkers(ratelimit::Instant now)
    : hasher_(draw_secret()),
      clients_(slots, client_bytes, now),
      refused_clients_(slots, client_bytes, now),
      paths_(slots, longest_path, now),
      refused_paths_(slots, longest_path, now) {
  client_.text.reserve(client_bytes);
  path_.text.reserve(longest_path);
}

std::uint64_t Talkers::hash_of(std::string_view text, Hashed& last) const {
  if (last.text != text) {
    last.hash = hasher_(text);
    last.text = text;
  }
  return last.hash;
}

void Talkers::record(const config::IpAddress& client, const config::ClientIp& prefixes, std::string_view path,
                     bool refused, ratelimit::Instant now) {
  std::array<char, client_bytes> item;
  std::memcpy(item.data(), client.truncated(prefixes.prefix_ipv4, prefixes.prefix_ipv6).bytes().data(), 16);
  item[16] = static_cast<char>(client.is_v4() ? prefixes.prefix_ipv4 : prefixes.prefix_ipv6);
  const std::string_view address(item.data(), item.size());
  const std::uint64_t hash = hash_of(address, client_);
  clients_.add(address, hash, now);
  if (refused) refused_clients_.add(address, hash, now);
  if (path.empty()) return;
  path = path.substr(0, longest_path);
  const std::uint64_t path_hash = hash_of(path, path_);
  paths_.add(path, path_hash, now);
  if (refused) refused_paths_.add(path, path_hash, now);
}

void Talkers::turn(ratelimit::Instant now) {
  for (ratelimit::RecentHitters* hitters : {&clients_, &refused_clients_, &paths_, &refused_paths_}) {
    hitters->turn(now);
  }
}

std::string Talkers::client_text(std::string_view item) {
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), item.data(), bytes.size());
  const config::IpAddress address = config::IpAddress::v6(bytes);
  const unsigned bits = static_cast<std::uint8_t>(item[16]);
  if (bits == (address.is_v4() ? 32U : 128U)) return address.to_string();
  return fmt::format("{}/{}", address.to_string(), bits);
}

}  // namespace sekisho::proxy
