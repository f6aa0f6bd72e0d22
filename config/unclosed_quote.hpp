// Where a quote that nothing closes was opened.
#pragma once

#include <string_view>

#include "config/mark.hpp"

namespace sekisho::config {

// The first quote from `from` on that opens a value and is not closed before `end`; `from` itself where there
// is none. At `from` a value or a key begins, or nothing in particular: it is not inside of quotes.
Mark find_unclosed_quote(std::string_view text, Mark from, Mark end);

}  // namespace sekisho::config
