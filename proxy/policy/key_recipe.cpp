#include "proxy/policy/key_recipe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "proxy/policy/ascii.hpp"
#include "proxy/policy/field_lookup.hpp"
#include "proxy/policy/fnv.hpp"
#include "proxy/policy/path_pattern.hpp"

namespace sekisho::policy {
namespace {

// Salts of what is hashed under the same secret but is no bucket's key.
constexpr std::uint64_t value_salt = 0x76616c7565;
constexpr std::size_t shown_path = 200;

constexpr std::string_view kinds[] = {"client_ip", "client_network", "host", "path", "method"};

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

std::string lowered(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

std::optional<KeyPart> parse_part(const config::Text& text, std::string& problem) {
  const std::string_view value = text.value;
  for (std::size_t i = 0; i < std::size(kinds); ++i) {
    if (value == kinds[i]) return KeyPart{static_cast<KeyPartKind>(i), {}};
  }
  if (value == "global") return KeyPart{KeyPartKind::global, {}};
  for (const auto& [prefix, kind] : {std::pair{std::string_view("header:"), KeyPartKind::header},
                                     std::pair{std::string_view("cookie:"), KeyPartKind::cookie}}) {
    if (!value.starts_with(prefix)) continue;
    const std::string_view name = value.substr(prefix.size());
    if (!is_token(name)) {
      problem = fmt::format("key '{}': no name of a {} follows the colon", value,
                            prefix.substr(0, prefix.size() - 1));
      return std::nullopt;
    }
    return KeyPart{kind, kind == KeyPartKind::header ? lowered(name) : std::string(name)};
  }
  problem =
      value.starts_with("param:")
          ? fmt::format("key '{}': param is not supported yet", value)
          : fmt::format(
                "unknown key '{}'; known are client_ip, client_network, host, path, method, header:NAME, "
                "cookie:NAME and global",
                value);
  return std::nullopt;
}

// As patterns read a path: without trailing slash, without format suffix.
std::string_view bare_path(std::string_view path) {
  return without_format(without_trailing_slash(path));
}

void append_address(const config::IpAddress& address, unsigned v4_bits, unsigned v6_bits, std::string& out) {
  char text[46];
  out.append(text, address.truncated(v4_bits, v6_bits).write(text));
  const unsigned bits = address.is_v4() ? v4_bits : v6_bits;
  if (bits == (address.is_v4() ? 32U : 128U)) return;
  fmt::format_to(std::back_inserter(out), "/{}", bits);
}

}  // namespace

KeyRecipe::KeyRecipe(std::vector<KeyPart> parts, const ClientPrefixes& prefixes)
    : parts_(std::move(parts)), prefixes_(prefixes) {
  for (const KeyPart& part : parts_) {
    if (!canonical_.empty()) canonical_ += ',';
    switch (part.kind) {
      case KeyPartKind::client_ip:
        canonical_ += fmt::format("client_ip/{}/{}", prefixes_.ipv4, prefixes_.ipv6);
        break;
      case KeyPartKind::client_network:
        canonical_ += fmt::format("client_network/{}/{}", prefixes_.network_ipv4, prefixes_.network_ipv6);
        break;
      // What stands in for an absent value is the client's address, so its prefix is part of the recipe.
      case KeyPartKind::header:
        canonical_ += fmt::format("header:{}/{}/{}", part.name, prefixes_.ipv4, prefixes_.ipv6);
        break;
      case KeyPartKind::cookie:
        canonical_ += fmt::format("cookie:{}/{}/{}", part.name, prefixes_.ipv4, prefixes_.ipv6);
        break;
      case KeyPartKind::global:
        canonical_ += "global";
        break;
      default:
        canonical_ += kinds[static_cast<std::size_t>(part.kind)];
    }
  }
  salt_ = fnv1a(canonical_);
}

std::optional<KeyRecipe> KeyRecipe::parse(const config::Texts& key, const ClientPrefixes& prefixes,
                                          config::Diagnostics* diagnostics) {
  bool good = true;
  const auto fail = [&](config::Mark mark, std::string message) {
    good = false;
    if (diagnostics != nullptr) diagnostics->error(mark, std::move(message));
  };
  std::vector<KeyPart> parts;
  for (const config::Text& text : key) {
    std::string problem;
    std::optional<KeyPart> part = parse_part(text, problem);
    if (!part) {
      fail(text.mark, problem);
    } else if (std::ranges::find(parts, *part) != parts.end()) {
      fail(text.mark, fmt::format("key '{}' is named twice", text.value));
    } else {
      parts.push_back(std::move(*part));
    }
  }
  const config::Mark mark = key.empty() ? config::Mark{} : key.front().mark;
  if (key.empty()) fail(mark, "key names nothing to count by");
  if (parts.size() > max_parts) fail(mark, fmt::format("key has more than {} parts", max_parts));
  if (parts.size() > 1 && std::ranges::find(parts, KeyPart{KeyPartKind::global, {}}) != parts.end()) {
    fail(mark, "key 'global' stands alone: it is one bucket for all");
  }
  if (!good) return std::nullopt;
  return KeyRecipe(std::move(parts), prefixes);
}

std::size_t KeyRecipe::write(const KeyPart& part, const KeySource& source, const ratelimit::KeyHasher& hasher,
                             char* out) const {
  const auto hashed = [&](char tag, std::string_view bytes) {
    const ratelimit::Key hash = hasher(value_salt, bytes);
    out[0] = tag;
    std::memcpy(out + 1, &hash.high, 8);
    std::memcpy(out + 9, &hash.low, 8);
    return std::size_t{17};
  };
  const auto address = [&](char tag, unsigned v4_bits, unsigned v6_bits) {
    out[0] = tag;
    std::memcpy(out + 1, source.client.truncated(v4_bits, v6_bits).bytes().data(), 16);
    return std::size_t{17};
  };
  std::string_view value;
  switch (part.kind) {
    case KeyPartKind::client_ip:
      break;
    case KeyPartKind::client_network:
      return address('n', prefixes_.network_ipv4, prefixes_.network_ipv6);
    case KeyPartKind::host:
      return hashed('h', source.host);
    case KeyPartKind::path:
      return hashed('p', bare_path(source.path));
    case KeyPartKind::method:
      return hashed('m', source.request->method);
    case KeyPartKind::header:
      value = header_value(*source.request, part.name);
      if (!value.empty()) return hashed('f', value);
      break;
    case KeyPartKind::cookie:
      value = cookie_value(*source.request, part.name);
      if (!value.empty()) return hashed('c', value);
      break;
    case KeyPartKind::global:
      out[0] = 'g';
      return 1;
  }
  return address('a', prefixes_.ipv4, prefixes_.ipv6);
}

ratelimit::Key KeyRecipe::key(const KeySource& source, const ratelimit::KeyHasher& hasher,
                              std::uint64_t salt) const {
  std::array<char, 17 * max_parts> bytes;
  std::size_t length = 0;
  for (const KeyPart& part : parts_) length += write(part, source, hasher, bytes.data() + length);
  return hasher(salt_ ^ salt, {bytes.data(), length});
}

void KeyRecipe::append_text(const KeySource& source, const ratelimit::KeyHasher& hasher,
                            std::string& out) const {
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (i != 0) out += ',';
    const KeyPart& part = parts_[i];
    std::string_view value;
    switch (part.kind) {
      case KeyPartKind::client_ip:
        break;
      case KeyPartKind::client_network:
        append_address(source.client, prefixes_.network_ipv4, prefixes_.network_ipv6, out);
        continue;
      case KeyPartKind::host:
        out += source.host;
        continue;
      case KeyPartKind::path:
        out += bare_path(source.path).substr(0, shown_path);
        continue;
      case KeyPartKind::method:
        out += source.request->method.substr(0, shown_path);
        continue;
      case KeyPartKind::header:
        value = header_value(*source.request, part.name);
        break;
      case KeyPartKind::cookie:
        value = cookie_value(*source.request, part.name);
        break;
      case KeyPartKind::global:
        out += "global";
        continue;
    }
    if (value.empty()) {
      append_address(source.client, prefixes_.ipv4, prefixes_.ipv6, out);
      continue;
    }
    std::array<char, 16> hex;
    out += part.name;
    out += '=';
    out += write_hash(hasher(value_salt, value), hex);
  }
}

bool KeyRecipe::client_only() const {
  return parts_.size() == 1 && (has(KeyPartKind::client_ip) || has(KeyPartKind::client_network));
}

bool KeyRecipe::has(KeyPartKind kind) const {
  return std::ranges::find(parts_, kind, &KeyPart::kind) != parts_.end();
}

KeyRecipe KeyRecipe::ban_recipe() const {
  for (const KeyPartKind kind : {KeyPartKind::client_ip, KeyPartKind::client_network}) {
    if (has(kind)) return KeyRecipe({KeyPart{kind, {}}}, prefixes_);
  }
  return *this;
}

std::string_view write_hash(ratelimit::Key hash, std::array<char, 16>& out) {
  constexpr char digits[] = "0123456789abcdef";
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = digits[(hash.high >> (60 - 4 * i)) & 15];
  return {out.data(), out.size()};
}

}  // namespace sekisho::policy
