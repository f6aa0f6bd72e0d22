// What a limit counts by: the parts of its `key`, made of one request into the tables' 128-bit keys and into
// the log's text.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/diagnostics.hpp"
#include "config/ip_address.hpp"
#include "proxy/policy/request.hpp"
#include "ratelimit/key.hpp"

namespace sekisho::policy {

// Prefixes that make addresses one client or one network (client_ip.prefix, client_ip.network).
struct ClientPrefixes {
  unsigned ipv4 = 32, ipv6 = 64;
  unsigned network_ipv4 = 24, network_ipv6 = 48;
};

// What a key may be made of.
struct KeySource {
  const Request* request = nullptr;
  config::IpAddress client;  // as derived, whole
  std::string_view host;     // lower case, without port and trailing dot
  std::string_view path;     // the reading that the limit matched
};

enum class KeyPartKind : std::uint8_t {
  client_ip,
  client_network,
  host,
  path,
  method,
  header,
  cookie,
  global
};

struct KeyPart {
  KeyPartKind kind = KeyPartKind::client_ip;
  std::string name;  // of the header (in lower case) or of the cookie
  friend bool operator==(const KeyPart&, const KeyPart&) = default;
};

// Immutable. Different parts never give equal bytes: each is tagged, and what has no fixed length stands as
// its keyed hash, so a key is at most 17 bytes a part and no client byte is ever stored. A header or cookie
// that the request lacks, or that is empty, counts as client_ip, and so does a header of differing lines. A
// path counts without trailing slash and format suffix, as patterns read it: /login, /login/ and /login.json
// are one.
class KeyRecipe {
 public:
  static constexpr std::size_t max_parts = 8;

  // Adds its problems to `diagnostics` (nullptr: keeps them to itself); nullopt when there was one.
  static std::optional<KeyRecipe> parse(const config::Texts& key, const ClientPrefixes& prefixes,
                                        config::Diagnostics* diagnostics);

  // The key's parts in one spelling, prefixes included: limits of equal text count by equal keys.
  const std::string& canonical() const { return canonical_; }
  // The same as a number.
  std::uint64_t salt() const { return salt_; }

  // `salt` tells apart those who use equal recipes in one table (the limits' bans).
  ratelimit::Key key(const KeySource& source, const ratelimit::KeyHasher& hasher,
                     std::uint64_t salt = 0) const;
  // For the log, at the end of `out`: parts joined by commas, header and cookie values hashed, a long path
  // cut.
  void append_text(const KeySource& source, const ratelimit::KeyHasher& hasher, std::string& out) const;

  // Whether it is made of the client's address alone, so that it can be had before anything else is read.
  bool client_only() const;
  bool has(KeyPartKind kind) const;
  // The recipe of those that a ban of this key's client refuses: client_ip, else client_network, else the
  // whole key.
  KeyRecipe ban_recipe() const;

 private:
  KeyRecipe(std::vector<KeyPart> parts, const ClientPrefixes& prefixes);
  std::size_t write(const KeyPart& part, const KeySource& source, const ratelimit::KeyHasher& hasher,
                    char* out) const;

  std::vector<KeyPart> parts_;
  ClientPrefixes prefixes_;
  std::string canonical_;
  std::uint64_t salt_ = 0;  // of the canonical text
};

// The same bytes in hexadecimal: what stands in logs for a secret value.
std::string_view write_hash(ratelimit::Key hash, std::array<char, 16>& out);

}  // namespace sekisho::policy
