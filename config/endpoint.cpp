#include "config/endpoint.hpp"

#include <fmt/format.h>
#include <sys/un.h>

#include <algorithm>
#include <array>

#include "config/ip_address.hpp"
#include "config/scalars.hpp"

namespace sekisho::config {
namespace {

bool looks_numeric(std::string_view text) {
  return text.find_first_not_of("0123456789.") == std::string_view::npos;
}

std::optional<Endpoint> parse_unix(std::string_view text, Mark mark, std::string& problem) {
  const std::string_view path = text.substr(5);
  if (!path.starts_with('/')) {
    problem = fmt::format("{}: a socket's path must be absolute, such as unix:/run/app.sock", text);
    return std::nullopt;
  }
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    problem =
        fmt::format("{}: a socket's path must be shorter than {} bytes", text, sizeof(sockaddr_un::sun_path));
    return std::nullopt;
  }
  return Endpoint{Endpoint::Kind::unix_path, std::string(path), 0, std::string(text), mark};
}

// Whether who listens on `a` has what comes to `b` too.
bool takes(const IpAddress& a, const IpAddress& b) {
  constexpr std::array<std::uint8_t, 16> none{};
  return a == b || a == IpAddress::v6(none) || (a == IpAddress() && b.is_v4());
}

}  // namespace

// RFC 1123 labels; `_` is common inside containers' networks.
bool is_host_name(std::string_view text) {
  if (text.empty() || text.size() > 253 || text.front() == '-' || text.front() == '.') return false;
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  };
  return std::all_of(text.begin(), text.end(), allowed) && text.find("..") == std::string_view::npos &&
         !looks_numeric(text);
}

std::optional<Endpoint> parse_endpoint(std::string_view text, EndpointUse use, Mark mark,
                                       std::string& problem) {
  const bool listens = use == EndpointUse::listen;
  if (text.size() > 512) {
    problem = "too long for an address";
    return std::nullopt;
  }
  if (text.starts_with("unix:")) return parse_unix(text, mark, problem);
  if (text.find("://") != std::string_view::npos) {
    problem = fmt::format("{} is a URL; write HOST:PORT", text);
    return std::nullopt;
  }
  const std::string_view example = listens ? "0.0.0.0:8080" : "127.0.0.1:3000";
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon + 1 == text.size()) {
    problem = looks_numeric(text) && text.find('.') == std::string_view::npos && !text.empty()
                  ? fmt::format("{} is only a port; write HOST:PORT, such as {}:{}", text,
                                listens ? "0.0.0.0" : "127.0.0.1", text)
                  : fmt::format("\"{}\" has no port; write HOST:PORT, such as {}", text, example);
    return std::nullopt;
  }
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);

  std::string ignored;
  const auto port = parse_count(text.substr(colon + 1), ignored);
  if (!port || *port > 65535 || (*port == 0 && !listens)) {
    problem = fmt::format("\"{}\" has no port from 1 to 65535 after its last colon", text);
    return std::nullopt;
  }
  const auto address = IpAddress::parse(host);
  const bool v6 = host.find(':') != std::string_view::npos;
  if (v6 && !bracketed) {
    problem = fmt::format("\"{}\": write an IPv6 address in brackets and quote it, such as \"[::1]:{}\"",
                          text, *port);
    return std::nullopt;
  }
  if ((bracketed && (!v6 || !address)) || (!address && looks_numeric(host) && !host.empty())) {
    problem = fmt::format("\"{}\" does not hold a valid IP address", text);
    return std::nullopt;
  }
  if (address) {
    return Endpoint{Endpoint::Kind::ip, std::string(host), static_cast<std::uint16_t>(*port),
                    std::string(text), mark};
  }
  if (listens) {
    problem = fmt::format(
        "\"{}\": an IP address is needed here, such as 0.0.0.0:{} (all) or 127.0.0.1:{} (this machine alone)",
        text, *port, *port);
    return std::nullopt;
  }
  if (!is_host_name(host)) {
    problem = fmt::format("\"{}\" is no HOST:PORT; write it such as {}", text, example);
    return std::nullopt;
  }
  return Endpoint{Endpoint::Kind::name, std::string(host), static_cast<std::uint16_t>(*port),
                  std::string(text), mark};
}

bool overlap(const Endpoint& a, const Endpoint& b) {
  if (a.kind != b.kind) return false;
  if (a.kind != Endpoint::Kind::ip) return a.host == b.host && a.port == b.port;
  if (a.port == 0 || a.port != b.port) return false;
  const auto left = IpAddress::parse(a.host);
  const auto right = IpAddress::parse(b.host);
  return left && right && (takes(*left, *right) || takes(*right, *left));
}

}  // namespace sekisho::config
