// JSON for the eye.
#pragma once

#include <string>
#include <string_view>

namespace sekisho {

// Compact, valid JSON with line breaks and two blanks a level; ends with a newline.
std::string indent_json(std::string_view compact);

}  // namespace sekisho
