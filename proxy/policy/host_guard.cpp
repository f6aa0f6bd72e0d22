#include "proxy/policy/host_guard.hpp"

#include <algorithm>
#include <array>

#include "config/ip_address.hpp"
#include "proxy/policy/ascii.hpp"
#include "proxy/policy/field_lookup.hpp"

namespace sekisho::policy {
namespace {

constexpr std::size_t max_name = 253;
constexpr std::size_t max_label = 63;

bool is_port(std::string_view text) {
  if (text.size() > 5 || !std::all_of(text.begin(), text.end(), is_digit)) return false;
  unsigned value = 0;
  for (const char c : text) value = value * 10 + static_cast<unsigned>(c - '0');
  return value <= 65535;
}

constexpr std::array<bool, 256> make_label_table() {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < 128; ++c) {
    const char each = static_cast<char>(c);
    table[c] = is_alpha(each) || is_digit(each) || each == '-' || each == '_';
  }
  return table;
}

constexpr std::array<bool, 256> label_table = make_label_table();

bool is_label(std::string_view label) {
  if (label.empty() || label.size() > max_label) return false;
  for (const char c : label)
    if (!label_table[static_cast<unsigned char>(c)]) return false;
  return true;
}

bool is_name(std::string_view name) {
  if (name.empty() || name.size() > max_name) return false;
  for (;;) {
    const std::size_t dot = name.find('.');
    if (!is_label(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

// A number as inet_aton reads one: decimal, octal (its digits are decimal digits too) or 0x and hexadecimal.
bool is_number(std::string_view label) {
  if (label.size() >= 2 && label[0] == '0' && lower(label[1]) == 'x')
    return std::all_of(label.begin() + 2, label.end(), [](char c) { return hex_value(c) >= 0; });
  return !label.empty() && std::all_of(label.begin(), label.end(), is_digit);
}

// What may stand in brackets: IPv6, with a zone (RFC 6874) or without, or a later version's form (RFC 3986,
// IPvFuture).
bool is_ip_literal(std::string_view inside) {
  if (inside.size() > 1 && lower(inside[0]) == 'v') {
    const std::size_t dot = inside.find('.');
    return dot != std::string_view::npos && dot > 1 && dot + 1 < inside.size() && hex_value(inside[1]) >= 0 &&
           std::all_of(inside.begin(), inside.end(), [](char c) {
             return is_alpha(c) || is_digit(c) ||
                    std::string_view("-._~!$&'()*+,;=:").find(c) != std::string_view::npos;
           });
  }
  const std::size_t percent = inside.find('%');
  const std::string_view address = inside.substr(0, percent);
  if (address.find(':') == std::string_view::npos || !config::IpAddress::parse(address)) return false;
  if (percent == std::string_view::npos) return true;
  const std::string_view zone = inside.substr(percent + 1);
  return !zone.empty() && std::all_of(zone.begin(), zone.end(), [](char c) {
    return is_alpha(c) || is_digit(c) || c == '-' || c == '_' || c == '.' || c == '~' || c == '%';
  });
}

Authority read_bracketed(std::string_view text) {
  const std::size_t close = text.find(']');
  if (close == std::string_view::npos || !is_ip_literal(text.substr(1, close - 1))) return {};
  std::string_view after = text.substr(close + 1);
  if (!after.empty() && after.front() == '.') after.remove_prefix(1);
  if (!after.empty() && (after.front() != ':' || !is_port(after.substr(1)))) return {};
  return {true, true, text.substr(0, close + 1)};
}

}  // namespace

Authority read_authority(std::string_view text) {
  if (!text.empty() && text.front() == '[') return read_bracketed(text);
  const std::size_t colon = text.find(':');
  std::string_view host = text.substr(0, colon);
  if (colon != std::string_view::npos && !is_port(text.substr(colon + 1))) return {};
  if (host.empty()) return {true, false, host};
  if (host.size() > 1 && host.back() == '.') host.remove_suffix(1);
  if (!is_name(host)) return {};
  const std::size_t dot = host.rfind('.');
  return {true, is_number(dot == std::string_view::npos ? host : host.substr(dot + 1)), host};
}

void normalise_host(std::string_view authority, std::string& out) {
  out.clear();
  const Authority read = read_authority(authority);
  for (const char c : read.valid ? read.host : authority) out += lower(c);
}

HostGuard HostGuard::compile(const config::Hosts& config, const config::Texts& routed,
                             config::Diagnostics& diagnostics) {
  HostGuard guard;
  guard.reject_addresses_ = config.reject_ip_literals;
  if (guard.reject_addresses_) {
    for (const config::Text& name : config.allow) {
      if (!read_authority(name.value).address) continue;
      diagnostics.error(
          name.mark,
          "\"" + name.value + "\" is an address and could never be admitted; say ip_literals: allow");
    }
  }
  config::Texts all = config.allow;
  // Names of routes only widen a list; without a list every name is admitted anyway.
  if (!all.empty()) all.insert(all.end(), routed.begin(), routed.end());
  guard.names_ = HostPatterns::compile(all, diagnostics);
  return guard;
}

HostGuard::Known HostGuard::know(std::string_view authority) const {
  if (memo_.size != 0 && authority == std::string_view(memo_.text.data(), memo_.size)) {
    Known known = memo_.known;
    // A host stands at the front of its authority.
    known.read.host = authority.substr(0, known.read.host.size());
    return known;
  }
  Known known;
  known.read = read_authority(authority);
  known.named = known.read.valid && (names_.empty() || names_.matches(known.read.host));
  if (known.read.valid && authority.size() <= memo_.text.size()) {
    authority.copy(memo_.text.data(), authority.size());
    memo_.size = authority.size();
    memo_.known = known;
  }
  return known;
}

HostJudgement HostGuard::judge(const Request& request, const RequestTarget& target) const {
  const Field* host = nullptr;
  for (const Field& field : request.fields) {
    if (!is_field(field, FieldId::host, "host")) continue;
    if (host != nullptr) return {HostVerdict::bad_request, {}, {}, "the Host field is repeated"};
    host = &field;
  }
  if (host == nullptr && request.version >= 11)
    return {HostVerdict::bad_request, {}, {}, "HTTP/1.1 without a Host field"};
  Known known;
  if (host != nullptr) {
    known = know(trimmed(host->value));
    if (!known.read.valid)
      return {HostVerdict::bad_request, trimmed(host->value), {}, "the Host field is no valid host"};
  }

  HostJudgement result;
  if (target.absolute) {
    result.authority = target.authority;
    known = know(result.authority);
    // RFC 9110, section 4.2.1: a URI of ours has a host, and a recipient refuses one without.
    if (!target.http || target.authority.empty()) {
      result.verdict = HostVerdict::bad_request;
      result.reason = "the target is no http or https URI";
      return result;
    }
  } else if (host == nullptr) {
    return {HostVerdict::rejected, {}, {}, "no host is named"};
  } else {
    result.authority = trimmed(host->value);
  }

  const Authority& read = known.read;
  result.host = read.host;
  if (!read.valid) {
    result.verdict = HostVerdict::bad_request;
    result.reason = "the target's authority is no valid host";
  } else if (read.host.empty()) {
    result.verdict = target.absolute ? HostVerdict::bad_request : HostVerdict::rejected;
    result.reason = "the host is empty";
  } else if (read.address) {
    if (reject_addresses_) {
      result.verdict = HostVerdict::rejected;
      result.reason = "the host is an address";
    }
  } else if (!known.named) {
    result.verdict = HostVerdict::rejected;
    result.reason = "the host is not in hosts";
  }
  return result;
}

}  // namespace sekisho::policy
