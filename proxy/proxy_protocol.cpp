#include "proxy/proxy_protocol.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace sekisho::proxy {
namespace {

using Status = ProxyHeader::Status;
using config::IpAddress;

constexpr std::string_view line_begin = "PROXY ";
constexpr std::string_view signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t fixed_part = 16;

ProxyHeader of(Status status) {
  ProxyHeader header;
  header.status = status;
  return header;
}

std::optional<std::uint16_t> port_of(std::string_view word) {
  std::uint16_t port = 0;
  if (word.empty() || (word.size() > 1 && word.front() == '0')) return std::nullopt;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), port);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return port;
}

std::optional<IpAddress> address_of(std::string_view word, bool v6) {
  // An IPv6 address may be written with an IPv4 address at its end, but an IPv4 address not as IPv6.
  if ((word.find(':') != std::string_view::npos) != v6) return std::nullopt;
  return IpAddress::parse(word);
}

// The line without its CRLF.
ProxyHeader parse_line(std::string_view line) {
  std::array<std::string_view, 6> words;
  std::size_t count = 0;
  if (line == "PROXY UNKNOWN" || line.starts_with("PROXY UNKNOWN ")) return of(Status::complete);
  for (std::size_t at = 0;; ++count) {
    if (count == words.size()) return of(Status::malformed);
    const std::size_t end = std::min(line.find(' ', at), line.size());
    words[count] = line.substr(at, end - at);
    if (end == line.size()) break;
    at = end + 1;
  }
  if (count != words.size() - 1) return of(Status::malformed);
  if (words[1] != "TCP4" && words[1] != "TCP6") return of(Status::malformed);
  const bool v6 = words[1] == "TCP6";
  const auto source_port = port_of(words[4]);
  const auto destination_port = port_of(words[5]);
  ProxyHeader header;
  header.source = address_of(words[2], v6);
  if (!header.source || !address_of(words[3], v6) || !source_port || !destination_port) {
    return of(Status::malformed);
  }
  header.destination_port = *destination_port;
  header.status = Status::complete;
  return header;
}

ProxyHeader parse_v1(std::string_view bytes) {
  const std::string_view most = bytes.substr(0, longest_proxy_line);
  const std::size_t end = most.find_first_of("\r\n");
  if (end == std::string_view::npos) {
    return of(most.size() < longest_proxy_line ? Status::need_more : Status::malformed);
  }
  if (most[end] == '\n' || end + 1 == longest_proxy_line) return of(Status::malformed);
  if (end + 1 == most.size()) return of(Status::need_more);
  if (most[end + 1] != '\n') return of(Status::malformed);
  ProxyHeader header = parse_line(most.substr(0, end));
  header.consumed = end + 2;
  return header;
}

unsigned byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

std::uint16_t number_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

// Source and destination address, source and destination port.
void take_addresses(std::string_view block, std::size_t size, ProxyHeader& header) {
  if (size == 4) {
    header.source = IpAddress::v4(std::uint32_t{number_at(block, 0)} << 16 | number_at(block, 2));
  } else {
    std::array<std::uint8_t, 16> bytes;
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(byte_at(block, i));
    header.source = IpAddress::v6(bytes);
  }
  header.destination_port = number_at(block, 2 * size + 2);
}

ProxyHeader parse_v2(std::string_view bytes) {
  constexpr unsigned local = 0x20, proxy = 0x21;
  constexpr unsigned unspecified = 0x00, tcp4 = 0x11, tcp6 = 0x21, unix_stream = 0x31;
  constexpr std::size_t unix_block = 216;
  const auto has = [&](std::size_t at) { return bytes.size() > at; };
  if (has(12) && byte_at(bytes, 12) != local && byte_at(bytes, 12) != proxy) return of(Status::malformed);
  if (!has(13)) return of(Status::need_more);
  std::size_t least = 0;
  // What a proxy says of its own connection is passed over, the family included.
  if (byte_at(bytes, 12) == proxy) {
    switch (byte_at(bytes, 13)) {
      case unspecified:
        break;
      case tcp4:
        least = 2 * 4 + 4;
        break;
      case tcp6:
        least = 2 * 16 + 4;
        break;
      case unix_stream:
        least = unix_block;
        break;
      default:
        return of(Status::malformed);
    }
  }
  if (!has(15)) return of(Status::need_more);
  const std::size_t length = number_at(bytes, 14);
  if (length < least || length > longest_proxy_block) return of(Status::malformed);
  if (bytes.size() < fixed_part + length) return of(Status::need_more);
  ProxyHeader header;
  header.status = Status::complete;
  header.consumed = fixed_part + length;
  if (least != 0 && least != unix_block) {
    take_addresses(bytes.substr(fixed_part, length), (least - 4) / 2, header);
  }
  return header;
}

bool may_begin(std::string_view bytes, std::string_view with) {
  const std::size_t size = std::min(bytes.size(), with.size());
  return bytes.substr(0, size) == with.substr(0, size);
}

}  // namespace

ProxyHeader parse_proxy_header(std::string_view bytes) {
  if (bytes.empty()) return of(Status::need_more);
  if (may_begin(bytes, line_begin)) {
    return bytes.size() < line_begin.size() ? of(Status::need_more) : parse_v1(bytes);
  }
  if (may_begin(bytes, signature)) {
    return bytes.size() <= signature.size() ? of(Status::need_more) : parse_v2(bytes);
  }
  return of(Status::malformed);
}

}  // namespace sekisho::proxy
