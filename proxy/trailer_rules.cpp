#include "proxy/trailer_rules.hpp"

#include <algorithm>
#include <iterator>

#include "proxy/field_id.hpp"
#include "proxy/field_rules.hpp"
#include "proxy/http_text.hpp"

namespace sekisho::proxy {

namespace {

// RFC 9110, 6.5.1, and what decides for whom, by whom and how a message is read. Beside these stands all that
// ends_before_upstream and ends_before_client name.
constexpr std::string_view kept_for_heads[] = {"age",
                                               "alt-svc",
                                               "authorization",
                                               "cache-control",
                                               "clear-site-data",
                                               "connection",
                                               "cookie",
                                               "cookie2",
                                               "date",
                                               "expect",
                                               "expires",
                                               "forwarded",
                                               "host",
                                               "keep-alive",
                                               "location",
                                               "max-forwards",
                                               "origin",
                                               "pragma",
                                               "range",
                                               "referer",
                                               "refresh",
                                               "retry-after",
                                               "server",
                                               "set-cookie",
                                               "set-cookie2",
                                               "status",
                                               "strict-transport-security",
                                               "te",
                                               "trailer",
                                               "transfer-encoding",
                                               "upgrade",
                                               "user-agent",
                                               "vary",
                                               "via",
                                               "warning",
                                               "www-authenticate",
                                               "x-frame-options",
                                               "x-http-method-override",
                                               "x-real-ip",
                                               "x-request-id",
                                               "x-request-start"};

constexpr std::string_view kept_for_heads_prefixes[] = {
    "accept", "access-control-", "cloudfront-", "content-", "if-",          "proxy-",     "ratelimit",
    "sec-",   "sekisho-",        "x-accel-",    "x-amz",    "x-forwarded-", "x-sendfile",
};

constexpr std::size_t longest_looked_at = 32;

constexpr char fold(char c) {
  return c == '_' ? '-' : to_lower(c);
}

// FNV-1a of the folded name.
std::uint64_t folded_hash(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(fold(c))) * 0x100000001b3;
  return hash;
}

bool kept_for_head(std::string_view name) {
  char space[longest_looked_at];
  const std::size_t size = std::min(name.size(), sizeof space);
  std::transform(name.begin(), name.begin() + static_cast<std::ptrdiff_t>(size), space, fold);
  const std::string_view folded(space, size);
  // Made to be sent when the content is over (RFC 9530).
  if (folded == "content-digest") return false;
  return std::ranges::find(kept_for_heads, folded) != std::end(kept_for_heads) ||
         std::ranges::any_of(kept_for_heads_prefixes,
                             [&](std::string_view prefix) { return folded.starts_with(prefix); });
}

// Takes the next field off the front of `section`; false at its end.
bool next_field(std::string_view& section, std::string_view& name, std::string_view& value) {
  const std::size_t end = section.find("\r\n");
  const std::size_t colon = section.find(':');
  if (end == std::string_view::npos || colon > end) return false;
  name = section.substr(0, colon);
  value = trim(section.substr(colon + 1, end - colon - 1));
  section.remove_prefix(end + 2);
  return true;
}

}  // namespace

TrailerRules::TrailerRules(Towards towards, std::span<const Field> head) : towards_(towards) {
  const ConnectionOptions options(head);
  for (std::size_t i = 0; i < options.name_count; ++i) named_[i] = folded_hash(options.names[i]);
  named_count_ = options.name_count;
}

bool TrailerRules::passes(std::string_view name) const {
  const Field field{name, {}, field_id(name)};
  if (towards_ == Towards::upstream ? ends_before_upstream(field) : ends_before_client(field)) return false;
  if (kept_for_head(name)) return false;
  const auto named_end = named_.begin() + static_cast<std::ptrdiff_t>(named_count_);
  return named_count_ == 0 || std::find(named_.begin(), named_end, folded_hash(name)) == named_end;
}

std::size_t TrailerRules::write(std::string_view section, HeadBuffer& out) const {
  std::size_t count = 0;
  std::string_view name, value;
  while (next_field(section, name, value)) {
    if (!passes(name)) continue;
    out.append_field(name, value);
    ++count;
  }
  return count;
}

bool TrailerRules::any_passes(std::string_view section) const {
  std::string_view name, value;
  while (next_field(section, name, value)) {
    if (passes(name)) return true;
  }
  return false;
}

}  // namespace sekisho::proxy
