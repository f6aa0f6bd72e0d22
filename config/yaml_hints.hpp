// What to tell somebody who stepped into one of YAML's own traps.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/mark.hpp"

namespace sekisho::config {

// A sentence for the syntax error `what` that the YAML parser found at `mark`, beginning with "; ", or
// nothing. Looks for the characters that mean something to YAML where a value begins unquoted.
std::string hint_for_syntax_error(std::string_view text, Mark mark, std::string_view what);

}  // namespace sekisho::config
