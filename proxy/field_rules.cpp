#include "proxy/field_rules.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "proxy/field_id.hpp"
#include "proxy/http_text.hpp"

namespace sekisho::proxy {

namespace {

// Names without an identifier that are taken off a request.
constexpr std::string_view hidden_names[] = {
    // Told by others about the client, its host or its scheme; an application may believe them before ours.
    "client-ip", "x-client-ip", "true-client-ip", "x-forwarded-ssl", "x-forwarded-scheme",
    "x-forwarded-server", "x-forwarded-prefix", "x-original-url", "x-rewrite-url", "x-url-scheme",
    // Orders to the file server that Rack::Sendfile takes from a proxy; HTTP_PROXY of CGI (httpoxy).
    "x-sendfile-type", "x-accel-mapping", "proxy",
    // Ours.
    "x-request-start",
    // Hop-by-hop.
    "http2-settings", "proxy-authenticate", "proxy-authorization"};

// Identified names that are taken off, in the spelling that one with underscores is compared with.
bool identified_ends(FieldId id) {
  switch (id) {
    case FieldId::connection:
    case FieldId::content_length:
    case FieldId::expect:
    case FieldId::forwarded:
    case FieldId::host:
    case FieldId::keep_alive:
    case FieldId::proxy_connection:
    case FieldId::te:
    case FieldId::trailer:
    case FieldId::transfer_encoding:
    case FieldId::upgrade:
    case FieldId::via:
    case FieldId::x_forwarded_for:
    case FieldId::x_forwarded_host:
    case FieldId::x_forwarded_port:
    case FieldId::x_forwarded_proto:
    case FieldId::x_real_ip:
    case FieldId::x_request_id:
      return true;
    case FieldId::other:
    case FieldId::accept:
    case FieldId::content_type:
    case FieldId::cookie:
    case FieldId::date:
    case FieldId::referer:
    case FieldId::server:
    case FieldId::user_agent:
    case FieldId::x_amzn_trace_id:
      break;
  }
  return false;
}

// For each first letter, a bit for each length that a hidden name has: nearly every field is let through by
// this alone.
constexpr std::array<std::uint32_t, 26> make_lengths() {
  std::array<std::uint32_t, 26> lengths{};
  for (const std::string_view name : hidden_names) {
    lengths[static_cast<std::size_t>(name.front() - 'a')] |= std::uint32_t{1} << name.size();
  }
  return lengths;
}

constexpr std::array<std::uint32_t, 26> hidden_lengths = make_lengths();
constexpr std::size_t longest_name = 31;

bool is_hidden(std::string_view lower) {
  return std::find(std::begin(hidden_names), std::end(hidden_names), lower) != std::end(hidden_names);
}

bool is_own(std::string_view name) {
  constexpr std::string_view prefix = "sekisho";
  if (name.size() <= prefix.size() || !starts_with_lower(name, prefix)) return false;
  return name[prefix.size()] == '-' || name[prefix.size()] == '_';
}

}  // namespace

bool ends_before_upstream(const Field& field) {
  if (field.id != FieldId::other) return identified_ends(field.id);
  const std::string_view name = field.name;
  const char first = name.empty() ? '\0' : to_lower(name.front());
  if (first < 'a' || first > 'z') return false;
  if (is_own(name)) return true;
  if (name.size() > longest_name) return false;
  const bool listed_length = (hidden_lengths[static_cast<std::size_t>(first - 'a')] >> name.size() & 1U) != 0;
  const bool has_underscore = name.find('_') != std::string_view::npos;
  if (!listed_length && !has_underscore) return false;

  char folded[longest_name];
  for (std::size_t i = 0; i < name.size(); ++i) folded[i] = name[i] == '_' ? '-' : to_lower(name[i]);
  const std::string_view lower(folded, name.size());
  return is_hidden(lower) || (has_underscore && identified_ends(field_id(lower)));
}

bool ends_before_client(const Field& field) {
  switch (field.id) {
    case FieldId::connection:
    case FieldId::content_length:
    case FieldId::keep_alive:
    case FieldId::proxy_connection:
    case FieldId::te:
    case FieldId::trailer:
    case FieldId::transfer_encoding:
    case FieldId::upgrade:
      return true;
    case FieldId::other:
      return equals_lower(field.name, "proxy-authenticate") ||
             equals_lower(field.name, "proxy-authorization");
    default:
      return false;
  }
}

}  // namespace sekisho::proxy
