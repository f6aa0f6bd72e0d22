// IPv4 and IPv6 addresses and networks as values: parsing, printing, prefix tests. No sockets.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace sekisho::config {

// An IPv4 or IPv6 address. An IPv4-mapped IPv6 address (::ffff:a.b.c.d) is the IPv4 address, always.
class IpAddress {
 public:
  IpAddress() = default;  // 0.0.0.0
  static IpAddress v4(std::uint32_t host_order);
  static IpAddress v6(const std::array<std::uint8_t, 16>& bytes);  // a mapped one becomes v4

  // Strict text: dotted quad without leading zeros, or RFC 4291 text without zone identifier, brackets or
  // port. Allocates nothing.
  static std::optional<IpAddress> parse(std::string_view text);

  bool is_v4() const {
    constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return std::memcmp(bytes_.data(), mapped.data(), mapped.size()) == 0;
  }
  // The 16 bytes of the IPv6 form (IPv4 as ::ffff:a.b.c.d).
  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  // The address with all bits after the first `v4_bits` or `v6_bits` (by its family) cleared.
  IpAddress truncated(unsigned v4_bits, unsigned v6_bits) const;

  // Canonical text (RFC 5952). write() puts it at `out` (room for 46 bytes) and returns its length; allocates
  // nothing.
  std::size_t write(char* out) const;
  std::string to_string() const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  std::array<std::uint8_t, 16> bytes_{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
};

// A CIDR block. "a.b.c.d" alone is a /32, an IPv6 address alone a /128.
class Network {
 public:
  Network() = default;
  // nullopt where the text is no CIDR; host bits below the prefix are refused too (`error` says which, when
  // given).
  static std::optional<Network> parse(std::string_view text, std::string* error = nullptr);

  bool contains(const IpAddress& address) const;
  const IpAddress& address() const { return address_; }
  // Bits of the 128-bit form: 96 + n for an IPv4 /n.
  unsigned prefix_length() const { return bits_; }
  std::string to_string() const;

  friend bool operator==(const Network&, const Network&) = default;

 private:
  IpAddress address_;
  unsigned bits_ = 128;
};

}  // namespace sekisho::config
