#include "main/json_indent.hpp"

namespace sekisho {

std::string indent_json(std::string_view compact) {
  std::string out;
  std::size_t depth = 0;
  bool within_string = false;
  const auto line = [&] { out += '\n' + std::string(2 * depth, ' '); };
  for (std::size_t i = 0; i < compact.size(); ++i) {
    const char c = compact[i];
    if (within_string) {
      out += c;
      if (c == '\\' && i + 1 < compact.size()) out += compact[++i];
      within_string = c != '"';
      continue;
    }
    const char next = i + 1 < compact.size() ? compact[i + 1] : '\0';
    switch (c) {
      case '{':
      case '[':
        out += c;
        if (next == '}' || next == ']') {
          out += next;
          ++i;
        } else {
          ++depth;
          line();
        }
        break;
      case '}':
      case ']':
        --depth;
        line();
        out += c;
        break;
      case ',':
        out += c;
        line();
        break;
      case ':':
        out += ": ";
        break;
      case '\n':
        break;
      default:
        out += c;
        within_string = c == '"';
        break;
    }
  }
  return out + '\n';
}

}  // namespace sekisho
