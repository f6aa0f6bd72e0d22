// One header field or one cookie of a request by its name.
#pragma once

#include <string_view>

#include "proxy/policy/ascii.hpp"
#include "proxy/policy/request.hpp"

namespace sekisho::policy {

// Whether `name`, as received, is `lower`, which must be in lower case.
inline bool is_field(std::string_view name, std::string_view lower) {
  return name.size() == lower.size() && equal_ignoring_case(name, lower);
}

// The same of a field, by what the parser recognised where it looked.
inline bool is_field(const Field& field, FieldId id, std::string_view lower) {
  return field.id == id || (field.id == FieldId::other && is_field(field.name, lower));
}

// Whether an app may take `name`, as received, for the header `lower`: puma and its kin hand over X-Api-Key
// and X_Api_Key as one variable. For what is judged; what is believed (client_ip) is is_field's.
bool is_variable(std::string_view name, std::string_view lower);

// The value of the fields that an app may take for that header (given in lower case); empty where there is
// none, and where they differ: which of them the app reads cannot be told, so the client must gain by none.
std::string_view header_value(const Request& request, std::string_view lower);

// The value of the first cookie of that name (letter case counts), without quotes; empty where there is none.
// Rack, too, takes the first of several.
std::string_view cookie_value(const Request& request, std::string_view name);

}  // namespace sekisho::policy
