#include "config/pattern_order.hpp"

#include <algorithm>

namespace sekisho::config {
namespace {

constexpr std::string_view catalogue = "builtin:";

bool has_star(std::string_view text) {
  return text.find('*') != std::string_view::npos;
}

// The path of a pattern that is neither an expression nor a catalogue, without `=`; empty for those.
std::string_view written_path(std::string_view pattern) {
  if (pattern.starts_with('=')) pattern.remove_prefix(1);
  return pattern.starts_with('/') ? pattern : std::string_view();
}

// Takes the first segment off `rest`, which begins with "/".
std::string_view take_segment(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('/', 1), rest.size());
  const std::string_view segment = rest.substr(1, end - 1);
  rest.remove_prefix(end);
  return segment;
}

}  // namespace

std::vector<std::string> wider_paths(std::string_view pattern) {
  std::vector<std::string> wider{std::string(pattern)};
  if (pattern.starts_with(catalogue)) {
    // A group is part of its catalogue.
    const std::size_t slash = pattern.find('/');
    if (slash != std::string_view::npos) wider.emplace_back(pattern.substr(0, slash));
    return wider;
  }
  const std::string_view path = written_path(pattern);
  if (path.empty()) return wider;
  wider.emplace_back("/**");
  if (pattern.starts_with('=')) wider.emplace_back(path);
  // /a/** has all that begins with /a/, and /a itself.
  for (std::string_view rest = path; !rest.empty();) {
    const std::string_view segment = take_segment(rest);
    if (segment.empty() || has_star(segment)) break;
    wider.push_back(std::string(path.substr(0, path.size() - rest.size())) + "/**");
  }
  return wider;
}

std::vector<std::string> wider_methods(std::string_view method) {
  if (method == "HEAD") return {"HEAD", "GET"};
  return {std::string(method)};
}

std::vector<std::string> wider_hosts(std::string_view host) {
  std::vector<std::string> wider{std::string(host)};
  const std::size_t labels = host.starts_with("*.") ? 2 : 0;
  for (std::size_t dot = host.find('.', labels); dot != std::string_view::npos; dot = host.find('.', dot + 1))
    wider.push_back("*" + std::string(host.substr(dot)));
  return wider;
}

bool names_one_path(std::string_view pattern) {
  return pattern.starts_with('=') || (pattern.starts_with('/') && !has_star(pattern));
}

bool names_one_host(std::string_view host) {
  return !has_star(host);
}

bool disjoint_paths(std::string_view a, std::string_view b) {
  std::string_view left = written_path(a);
  std::string_view right = written_path(b);
  while (!left.empty() && !right.empty()) {
    const std::string_view one = take_segment(left);
    const std::string_view other = take_segment(right);
    if (has_star(one) || has_star(other)) return false;
    // A format suffix may be ignored on either side: what stands before its dot must differ.
    if (one.substr(0, one.find('.')) != other.substr(0, other.find('.'))) return true;
  }
  return false;
}

bool disjoint_methods(std::string_view a, std::string_view b) {
  const auto matched = [](std::string_view method) { return method == "HEAD" ? "GET" : method; };
  return matched(a) != matched(b);
}

}  // namespace sekisho::config
