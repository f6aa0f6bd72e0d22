// ${NAME} and ${NAME:-default} in a scalar.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sekisho::config {

// The text with its references replaced; `$${` stands for a literal `${`. nullopt with `problem` set where a
// reference is malformed, or names a variable that is unset and gives no default. What a variable holds is
// not expanded again.
std::optional<std::string> expand_environment(std::string_view text, std::string& problem);

}  // namespace sekisho::config
