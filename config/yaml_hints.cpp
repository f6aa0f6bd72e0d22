#include "config/yaml_hints.hpp"

#include <fmt/format.h>

#include <vector>

namespace sekisho::config {
namespace {

std::vector<std::string_view> lines_until(std::string_view text, std::size_t last) {
  std::vector<std::string_view> lines;
  while (lines.size() < last && !text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

// Why an unquoted value that begins like `rest` may not be what YAML read; empty where nothing is odd.
std::string_view trap_at(std::string_view rest, bool in_flow) {
  const auto word = rest.substr(0, rest.find_first_of(" ,\t"));
  if (rest.front() == '*') return "an unquoted * begins a YAML alias";
  if (rest.front() == '&') return "an unquoted & begins a YAML anchor";
  if (rest.front() == '!') return "an unquoted ! begins a YAML tag";
  if (rest.front() == '%' || rest.front() == '@' || rest.front() == '`')
    return "no unquoted value can begin like this";
  if (rest.starts_with("[:") || (rest.starts_with("[") && word.find("]:") != std::string_view::npos)) {
    return "an unquoted [ begins a list";
  }
  if (in_flow && word.find("${") != std::string_view::npos)
    return "${…} inside {} or [] ends the value at its brace";
  if (in_flow && rest.starts_with("~") && word.find_first_of("{}[]?(") != std::string_view::npos) {
    return "an expression inside {} or [] ends at its first bracket, brace or question mark";
  }
  if (in_flow && rest.front() == '/' && word.find_first_of("{[?") != std::string_view::npos) {
    return "a value inside {} or [] ends at its first bracket, brace or question mark";
  }
  return {};
}

// The value that begins `rest`, without the brackets that close what is around it.
std::string_view value_at(std::string_view rest) {
  std::string_view word = rest.substr(0, rest.find_first_of(" ,\t\r"));
  int depth = 0;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (word[i] == '[' || word[i] == '{') ++depth;
    if ((word[i] == ']' || word[i] == '}') && --depth < 0) return word.substr(0, i);
  }
  return word;
}

// The first trap among the unquoted values that begin in this line.
std::string find_trap(std::string_view line) {
  bool value_begins = true;
  unsigned flow = 0;
  char quote = '\0';
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != '\0') {
      if (c == '\\' && quote == '"') ++i;
      if (c == quote) quote = '\0';
      continue;
    }
    if (c == ' ' || c == '\t') continue;
    if (c == '#' && (i == 0 || line[i - 1] == ' ')) break;
    if (value_begins) {
      const std::string_view rest = line.substr(i);
      const std::string_view trap = trap_at(rest, flow > 0);
      if (!trap.empty()) {
        return fmt::format("; {} (at {}): quote it", trap, value_at(rest));
      }
      if (c == '\'' || c == '"') {
        quote = c;
        value_begins = false;
        continue;
      }
    }
    const bool ends_key = c == ':' && (i + 1 == line.size() || line[i + 1] == ' ');
    const bool item = c == '-' && value_begins && i + 1 < line.size() && line[i + 1] == ' ';
    if (c == '[' || c == '{') ++flow;
    if ((c == ']' || c == '}') && flow > 0) --flow;
    value_begins = c == '[' || c == '{' || (c == ',' && flow > 0) || ends_key || item;
  }
  return {};
}

}  // namespace

std::string hint_for_syntax_error(std::string_view text, Mark mark, std::string_view what) {
  const auto lines = lines_until(text, mark.line);
  // A bracket cut short is often noticed only in the line below.
  for (std::size_t back = 0; back < 3 && back < lines.size(); ++back) {
    std::string hint = find_trap(lines[lines.size() - 1 - back]);
    if (!hint.empty()) return hint;
  }
  if (!lines.empty() &&
      lines.back().substr(0, lines.back().find_first_not_of(" \t")).find('\t') != std::string_view::npos) {
    return "; YAML does not take tabs for indentation";
  }
  if (what == "illegal map value") {
    return "; either the line is indented otherwise than its neighbours, or a value holds \": \": then quote "
           "it";
  }
  return {};
}

}  // namespace sekisho::config
