#include "proxy/policy/client_address.hpp"

#include <algorithm>

#include "proxy/policy/ascii.hpp"
#include "proxy/policy/field_lookup.hpp"

namespace sekisho::policy {
namespace {

bool is_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || !std::all_of(text.begin(), text.end(), is_digit)) return false;
  unsigned value = 0;
  for (const char c : text) value = value * 10 + static_cast<unsigned>(c - '0');
  return value <= 65535;
}

std::optional<config::IpAddress> with_port_after_last_colon(std::string_view entry) {
  const std::size_t colon = entry.rfind(':');
  if (colon == std::string_view::npos || !is_port(entry.substr(colon + 1))) return std::nullopt;
  return config::IpAddress::parse(entry.substr(0, colon));
}

// Takes the last element off `list`, up to a comma outside quotes, and returns it without surrounding white
// space. Quotes are paired from the right, because what stands on the right was written by proxies and what
// stands on the left by anybody: an unpaired quote on the left must not swallow an entry to the right of it.
std::string_view take_last_element(std::string_view& list, bool quotes) {
  bool quoted = false;
  std::size_t at = list.size();
  while (at != 0) {
    const char c = list[at - 1];
    if (quotes && c == '"') {
      std::size_t slashes = 0;
      while (slashes + 1 < at && list[at - 2 - slashes] == '\\') ++slashes;
      if (slashes % 2 == 0) quoted = !quoted;
    } else if (c == ',' && !quoted) {
      break;
    }
    --at;
  }
  const std::string_view element = trimmed(list.substr(at));
  list = list.substr(0, at == 0 ? 0 : at - 1);
  return element;
}

// The node of `for=` in one forwarded-element (RFC 7239, section 4); empty where there is none or it is said
// twice.
std::string_view forwarded_for(std::string_view element) {
  std::string_view node;
  while (!element.empty()) {
    std::size_t end = 0;
    for (bool quoted = false; end < element.size() && (quoted || element[end] != ';'); ++end) {
      if (quoted && element[end] == '\\') {
        if (++end == element.size()) return {};
      } else if (element[end] == '"') {
        quoted = !quoted;
      }
    }
    const std::string_view pair = trimmed(element.substr(0, end));
    element.remove_prefix(std::min(end + 1, element.size()));
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || !equal_ignoring_case(pair.substr(0, equals), "for")) continue;
    if (!node.empty()) return {};
    node = pair.substr(equals + 1);
    if (node.size() >= 2 && node.front() == '"' && node.back() == '"') {
      node.remove_prefix(1);
      node.remove_suffix(1);
    }
    if (node.empty()) return {};
  }
  return node;
}

// RFC 7239, section 6.3: a port may be hidden as "_" and letters, digits, ".", "_" or "-".
std::string_view without_hidden_port(std::string_view node) {
  const std::size_t colon = node.rfind(':');
  if (colon == std::string_view::npos || colon + 2 >= node.size() || node[colon + 1] != '_') return node;
  const std::string_view rest = node.substr(colon + 2);
  const bool token = std::all_of(rest.begin(), rest.end(), [](char c) {
    return is_alpha(c) || is_digit(c) || c == '.' || c == '_' || c == '-';
  });
  return token ? node.substr(0, colon) : node;
}

}  // namespace

std::optional<config::IpAddress> parse_forwarded_address(std::string_view entry) {
  if (!entry.empty() && entry.front() == '[') {
    const std::size_t close = entry.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    const std::string_view after = entry.substr(close + 1);
    const std::string_view inside = entry.substr(1, close - 1);
    if (!after.empty() && (after.front() != ':' || !is_port(after.substr(1)))) return std::nullopt;
    // Brackets are for IPv6 alone (RFC 3986, section 3.2.2).
    if (inside.find(':') == std::string_view::npos) return std::nullopt;
    return config::IpAddress::parse(inside);
  }
  if (const auto address = config::IpAddress::parse(entry)) return address;
  // A port after an IPv6 address without brackets cannot be told from its last group.
  if (std::count(entry.begin(), entry.end(), ':') != 1) return std::nullopt;
  return with_port_after_last_colon(entry);
}

// The walk's state: the last hop passed over, and whether it goes on.
class ClientAddress::Walk {
 public:
  Walk(const NetworkSet& trusted, HopObserver* observer) : trusted_(trusted), observer_(observer) {}

  // Judges one hop; false ends the walk.
  bool step(std::string_view header, std::string_view entry, std::optional<config::IpAddress> address) {
    if (address) client_ = *address;
    const bool trusted = address && trusted_.contains(*address);
    if (observer_ != nullptr) {
      observer_->hop(header, entry, address,
                     !address  ? HopVerdict::no_address
                     : trusted ? HopVerdict::trusted
                               : HopVerdict::client);
    }
    return trusted && ++hops_ <= max_hops;
  }
  const config::IpAddress& client() const { return client_; }

 private:
  const NetworkSet& trusted_;
  HopObserver* observer_;
  config::IpAddress client_;
  unsigned hops_ = 0;
};

ClientAddress ClientAddress::compile(const config::ClientIp& config, config::Diagnostics& diagnostics) {
  ClientAddress result;
  result.trusted_ = NetworkSet::compile(config.trusted_proxies, config.aws_ip_ranges, diagnostics);
  for (const char c : config.header.value) result.header_ += lower(c);
  const auto is_token = [](char c) {
    return is_alpha(c) || is_digit(c) ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  if (result.header_.empty() || !std::all_of(result.header_.begin(), result.header_.end(), is_token))
    diagnostics.error(config.header.mark, "\"" + config.header.value + "\" is no name of a header");
  result.source_ = result.header_ == "x-forwarded-for" ? Source::x_forwarded_for
                   : result.header_ == "forwarded"     ? Source::forwarded
                                                       : Source::single;
  result.port_always_ = result.header_ == "cloudfront-viewer-address";
  return result;
}

void ClientAddress::read_list(const Request& request, bool forwarded, Walk& walk) const {
  const std::string_view name = forwarded ? "forwarded" : "x-forwarded-for";
  const FieldId id = forwarded ? FieldId::forwarded : FieldId::x_forwarded_for;
  for (auto field = request.fields.rbegin(); field != request.fields.rend(); ++field) {
    if (!is_field(*field, id, name)) continue;
    std::string_view list = field->value;
    while (!list.empty()) {
      const std::string_view element = take_last_element(list, forwarded);
      if (element.empty()) continue;
      const auto address =
          parse_forwarded_address(forwarded ? without_hidden_port(forwarded_for(element)) : element);
      if (!walk.step(field->name, element, address)) return;
    }
  }
}

bool ClientAddress::read_single(const Request& request, Walk& walk) const {
  const Field* found = nullptr;
  bool repeated = false;
  for (const Field& field : request.fields) {
    if (!is_field(field.name, header_)) continue;
    repeated = found != nullptr;
    found = &field;
    if (repeated) break;
  }
  if (found == nullptr) return false;
  const std::string_view entry = trimmed(found->value);
  std::optional<config::IpAddress> address;
  // Of two such lines one is not the proxy's own, and which cannot be told.
  if (!repeated) {
    if (port_always_) address = with_port_after_last_colon(entry);
    if (!address) address = parse_forwarded_address(entry);
    if (!address) address = with_port_after_last_colon(entry);
  }
  walk.step(found->name, entry, address);
  return true;
}

DerivedClient ClientAddress::derive(const Request& request, HopObserver* observer) const {
  char text[46];
  const std::string_view peer =
      observer != nullptr ? std::string_view(text, request.peer.write(text)) : std::string_view();
  Walk walk(trusted_, observer);
  const bool trusted = walk.step({}, peer, request.peer);
  if (trusted && (source_ != Source::single || !read_single(request, walk)))
    read_list(request, source_ == Source::forwarded, walk);
  return {walk.client(), trusted};
}

}  // namespace sekisho::policy
