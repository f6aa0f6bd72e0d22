#include "config/environment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace sekisho::config {
namespace {

bool is_name(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !text.empty() && letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || digit(c); });
}

// The value of what stands between the braces.
std::optional<std::string> resolve(std::string_view inside, std::string& problem) {
  const std::size_t separator = inside.find(":-");
  const std::string name(inside.substr(0, separator));
  if (!is_name(name)) {
    problem = fmt::format(
        "${{{}}} is not a reference; write ${{NAME}} or ${{NAME:-default}}, or $${{ for a literal ${{",
        inside);
    return std::nullopt;
  }
  const char* value = std::getenv(name.c_str());
  // As in a shell, `:-` also stands in for a variable that is set but empty.
  if (separator != std::string_view::npos && (value == nullptr || *value == '\0')) {
    return std::string(inside.substr(separator + 2));
  }
  if (value == nullptr) {
    problem = fmt::format("the environment variable {} is not set and ${{{}}} gives no default", name, name);
    return std::nullopt;
  }
  return std::string(value);
}

}  // namespace

std::optional<std::string> expand_environment(std::string_view text, std::string& problem) {
  std::string result;
  std::size_t position = 0;
  while (position < text.size()) {
    const std::string_view rest = text.substr(position);
    if (rest.starts_with("$${")) {
      result += "${";
      position += 3;
    } else if (rest.starts_with("${")) {
      const std::size_t end = rest.find('}');
      if (end == std::string_view::npos) {
        problem = "${ is not closed by }; write $${ for a literal ${";
        return std::nullopt;
      }
      const auto value = resolve(rest.substr(2, end - 2), problem);
      if (!value) return std::nullopt;
      result += *value;
      position += end + 1;
    } else {
      result += rest.front();
      ++position;
    }
  }
  return result;
}

}  // namespace sekisho::config
