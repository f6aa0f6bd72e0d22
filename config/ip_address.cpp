#include "config/ip_address.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace sekisho::config {
namespace {

constexpr std::size_t mapped_prefix = 12;  // bytes of ::ffff: before the IPv4 address

std::optional<unsigned> decimal(std::string_view text, unsigned max) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  unsigned value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value <= max ? std::optional(value) : std::nullopt;
}

// Four numbers of one to three digits, none with a zero before others.
std::optional<std::uint32_t> dotted_quad(std::string_view text) {
  std::uint32_t address = 0;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (int part = 0; part < 4; ++part) {
    if (part > 0 && (at == end || *at++ != '.')) return std::nullopt;
    const char* const first = at;
    unsigned value = 0;
    for (; at != end && at - first < 3 && *at >= '0' && *at <= '9'; ++at)
      value = value * 10 + static_cast<unsigned>(*at - '0');
    if (at == first || value > 255 || (at - first > 1 && *first == '0')) return std::nullopt;
    address = address << 8 | value;
  }
  return at == end ? std::optional(address) : std::nullopt;
}

std::optional<unsigned> hex_group(std::string_view text) {
  if (text.empty() || text.size() > 4) return std::nullopt;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Groups up to the end of `text`, written at `out` (room for 8); the last may be a dotted quad, which is two.
std::optional<std::size_t> groups(std::string_view text, std::array<std::uint16_t, 8>& out) {
  std::size_t count = 0;
  if (text.empty()) return count;
  for (;;) {
    const std::size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    if (colon == std::string_view::npos && group.find('.') != std::string_view::npos) {
      const auto quad = dotted_quad(group);
      if (!quad || count > 6) return std::nullopt;
      out[count++] = static_cast<std::uint16_t>(*quad >> 16);
      out[count++] = static_cast<std::uint16_t>(*quad & 0xffff);
      return count;
    }
    const auto value = hex_group(group);
    if (!value || count == 8) return std::nullopt;
    out[count++] = static_cast<std::uint16_t>(*value);
    if (colon == std::string_view::npos) return count;
    text.remove_prefix(colon + 1);
  }
}

std::optional<std::array<std::uint8_t, 16>> ipv6_bytes(std::string_view text) {
  std::array<std::uint16_t, 8> all{};
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    const auto count = groups(text, all);
    if (!count || *count != 8) return std::nullopt;
  } else {
    std::array<std::uint16_t, 8> tail{};
    const std::string_view before = text.substr(0, gap);
    // A dotted quad may stand at the very end alone.
    if (before.find('.') != std::string_view::npos) return std::nullopt;
    const auto head_count = groups(before, all);
    const auto tail_count = groups(text.substr(gap + 2), tail);
    // "::" stands for at least one group (RFC 4291, section 2.2).
    if (!head_count || !tail_count || *head_count + *tail_count > 7) return std::nullopt;
    std::copy_n(tail.begin(), *tail_count, all.end() - static_cast<std::ptrdiff_t>(*tail_count));
  }
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[2 * i] = static_cast<std::uint8_t>(all[i] >> 8);
    bytes[2 * i + 1] = static_cast<std::uint8_t>(all[i] & 0xff);
  }
  return bytes;
}

void clear_after(std::array<std::uint8_t, 16>& bytes, unsigned bits) {
  const std::size_t whole = bits / 8;
  if (whole >= bytes.size()) return;
  bytes[whole] = static_cast<std::uint8_t>(bytes[whole] & (0xff00U >> bits % 8));
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(whole) + 1, bytes.end(), std::uint8_t{0});
}

// A number of a dotted quad with how many digits it has in the last place.
constexpr std::array<std::array<char, 4>, 256> make_octets() {
  std::array<std::array<char, 4>, 256> octets{};
  for (unsigned number = 0; number < 256; ++number) {
    std::size_t size = 0;
    if (number >= 100) octets[number][size++] = static_cast<char>('0' + number / 100);
    if (number >= 10) octets[number][size++] = static_cast<char>('0' + number / 10 % 10);
    octets[number][size++] = static_cast<char>('0' + number % 10);
    octets[number][3] = static_cast<char>(size);
  }
  return octets;
}

constexpr auto octets = make_octets();

// All four bytes of an octet's place are written, and what follows lies over what is too much.
char* write_ipv4(const std::uint8_t* bytes, char* out) {
  for (int i = 0; i < 4; ++i) {
    if (i != 0) *out++ = '.';
    const std::array<char, 4>& octet = octets[bytes[i]];
    std::memcpy(out, octet.data(), octet.size());
    out += octet.back();
  }
  return out;
}

// RFC 5952: lower case, no leading zeros, "::" for the first longest run of two or more zero groups.
char* write_ipv6(const std::array<std::uint8_t, 16>& bytes, char* out) {
  std::array<unsigned, 8> group{};
  for (std::size_t i = 0; i < 8; ++i) group[i] = static_cast<unsigned>(bytes[2 * i]) << 8 | bytes[2 * i + 1];
  std::size_t gap = 8;
  std::size_t gap_length = 1;
  for (std::size_t i = 0; i < 8;) {
    std::size_t end = i;
    while (end < 8 && group[end] == 0) ++end;
    if (end - i > gap_length) {
      gap = i;
      gap_length = end - i;
    }
    i = end + 1;
  }
  for (std::size_t i = 0; i < 8;) {
    if (i == gap) {
      *out++ = ':';
      *out++ = ':';
      i += gap_length;
      continue;
    }
    if (i != 0 && i != gap + gap_length) *out++ = ':';
    out = std::to_chars(out, out + 4, group[i++], 16).ptr;
  }
  return out;
}

void complain(std::string* error, std::string message) {
  if (error != nullptr) *error = std::move(message);
}

}  // namespace

IpAddress IpAddress::v4(std::uint32_t host_order) {
  IpAddress address;
  for (std::size_t i = 0; i < 4; ++i)
    address.bytes_[mapped_prefix + i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i) & 0xff);
  return address;
}

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& bytes) {
  IpAddress address;
  address.bytes_ = bytes;
  return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.find(':') == std::string_view::npos) {
    const auto quad = dotted_quad(text);
    return quad ? std::optional(v4(*quad)) : std::nullopt;
  }
  const auto bytes = ipv6_bytes(text);
  return bytes ? std::optional(v6(*bytes)) : std::nullopt;
}

IpAddress IpAddress::truncated(unsigned v4_bits, unsigned v6_bits) const {
  IpAddress result = *this;
  clear_after(result.bytes_, is_v4() ? 96 + v4_bits : v6_bits);
  return result;
}

std::size_t IpAddress::write(char* out) const {
  const char* end = is_v4() ? write_ipv4(bytes_.data() + mapped_prefix, out) : write_ipv6(bytes_, out);
  return static_cast<std::size_t>(end - out);
}

std::string IpAddress::to_string() const {
  char text[46];
  return {text, write(text)};
}

std::optional<Network> Network::parse(std::string_view text, std::string* error) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) {
    complain(error, "\"" + std::string(text) + "\" is no address and no network such as 10.0.0.0/8");
    return std::nullopt;
  }
  // "::ffff:10.0.0.0/104" counts its bits in the long form, "10.0.0.0/8" in the short one.
  const bool short_form = text.find(':') == std::string_view::npos;
  Network network;
  network.address_ = *address;
  if (slash != std::string_view::npos) {
    const auto bits = decimal(text.substr(slash + 1), short_form ? 32 : 128);
    if (!bits) {
      complain(error, "\"" + std::string(text) + "\": the prefix length must be 0 to " +
                          (short_form ? "32" : "128"));
      return std::nullopt;
    }
    network.bits_ = short_form ? 96 + *bits : *bits;
  }
  std::array<std::uint8_t, 16> cleared = address->bytes();
  clear_after(cleared, network.bits_);
  if (cleared != address->bytes()) {
    Network meant = network;
    meant.address_ = IpAddress::v6(cleared);
    complain(error, "\"" + std::string(text) + "\" has bits set after its prefix; did you mean " +
                        meant.to_string() + "?");
    return std::nullopt;
  }
  return network;
}

bool Network::contains(const IpAddress& address) const {
  // ::/0 and its like are of IPv6: an IPv4 address is only in networks written as IPv4.
  if (bits_ < 96 && address.is_v4()) return false;
  std::array<std::uint8_t, 16> cleared = address.bytes();
  clear_after(cleared, bits_);
  return cleared == address_.bytes();
}

std::string Network::to_string() const {
  const unsigned shown = address_.is_v4() && bits_ >= 96 ? bits_ - 96 : bits_;
  return address_.to_string() + "/" + std::to_string(shown);
}

}  // namespace sekisho::config
