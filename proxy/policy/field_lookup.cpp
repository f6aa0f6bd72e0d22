#include "proxy/policy/field_lookup.hpp"

#include <algorithm>

#include "proxy/policy/ascii.hpp"

namespace sekisho::policy {

bool is_variable(std::string_view name, std::string_view lower) {
  const auto letter = [](char c) { return c == '_' ? '-' : policy::lower(c); };
  return std::ranges::equal(name, lower, {}, letter, letter);
}

std::string_view header_value(const Request& request, std::string_view lower) {
  const Field* found = nullptr;
  for (const Field& field : request.fields) {
    if (!is_variable(field.name, lower)) continue;
    if (found != nullptr && found->value != field.value) return {};
    found = &field;
  }
  return found != nullptr ? found->value : std::string_view{};
}

std::string_view cookie_value(const Request& request, std::string_view name) {
  for (const Field& field : request.fields) {
    if (field.id != FieldId::cookie && !is_field(field.name, "cookie")) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::size_t end = rest.find(';');
      const std::string_view pair = rest.substr(0, end);
      rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos || trimmed(pair.substr(0, equals)) != name) continue;
      std::string_view value = trimmed(pair.substr(equals + 1));
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
        value = value.substr(1, value.size() - 2);
      return value;
    }
  }
  return {};
}

}  // namespace sekisho::policy
