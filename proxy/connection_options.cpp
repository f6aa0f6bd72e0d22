#include "proxy/connection_options.hpp"

#include <algorithm>

#include "proxy/http_text.hpp"

namespace sekisho::proxy {

ConnectionOptions::ConnectionOptions(std::span<const Field> fields) {
  for (const Field& field : fields) {
    if (field.id != FieldId::connection && field.id != FieldId::proxy_connection) continue;
    std::string_view list = field.value;
    std::string_view element;
    while (next_element(list, element)) {
      if (element.empty()) continue;
      if (!std::ranges::all_of(element, is_token_char)) {
        error = "a Connection that is no list of tokens";
      } else if (field.id == FieldId::proxy_connection) {
        continue;
      } else if (equals_lower(element, "close")) {
        close = true;
      } else if (equals_lower(element, "keep-alive")) {
        keep_alive = true;
      } else if (equals_lower(element, "upgrade")) {
        upgrade = true;
      } else if (name_count == max_names) {
        error = "too many names in Connection";
      } else {
        names[name_count++] = element;
      }
    }
  }
}

namespace {

// To Rack "X-Hop" and "x_hop" are one header, so to be named as one is to be named as the other.
bool same_to_rack(std::string_view a, std::string_view b) {
  const auto folded = [](char c) { return c == '_' ? '-' : to_lower(c); };
  return std::ranges::equal(a, b, {}, folded, folded);
}

// Whether an Upgrade field of `fields` lists `protocol`; letter case does not count (RFC 9110, 7.8).
bool lists_protocol(std::span<const Field> fields, std::string_view protocol) {
  const auto same = [](char a, char b) { return to_lower(a) == to_lower(b); };
  for (const Field& field : fields) {
    if (field.id != FieldId::upgrade) continue;
    std::string_view list = field.value;
    std::string_view element;
    while (next_element(list, element)) {
      if (std::ranges::equal(element, protocol, same)) return true;
    }
  }
  return false;
}

}  // namespace

bool switches_as_asked(std::span<const Field> request, std::span<const Field> response) {
  bool any = false;
  for (const Field& field : response) {
    if (field.id != FieldId::upgrade) continue;
    std::string_view list = field.value;
    std::string_view element;
    while (next_element(list, element)) {
      if (element.empty()) continue;
      if (!lists_protocol(request, element)) return false;
      any = true;
    }
  }
  return any;
}

bool ConnectionOptions::names_field(std::string_view name) const {
  for (std::size_t i = 0; i < name_count; ++i) {
    if (same_to_rack(names[i], name)) return true;
  }
  return false;
}

}  // namespace sekisho::proxy
