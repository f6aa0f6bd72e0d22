// Recognises the field names that somebody on the request path asks for.
#pragma once

#include <string_view>

#include "proxy/policy/request.hpp"

namespace sekisho::proxy {

// Letter case does not count; a name with underscores is another name. Allocates nothing.
policy::FieldId field_id(std::string_view name);

}  // namespace sekisho::proxy
