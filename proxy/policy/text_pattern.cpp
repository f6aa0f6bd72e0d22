#include "proxy/policy/text_pattern.hpp"

#include <algorithm>

#include "proxy/policy/ascii.hpp"
#include "proxy/policy/host_guard.hpp"

namespace sekisho::policy {
namespace {

std::string_view without_trailing_dot(std::string_view host) {
  if (host.size() > 1 && host.back() == '.') host.remove_suffix(1);
  return host;
}

void check_name(const config::Text& name, std::string_view host, config::Diagnostics& diagnostics) {
  const Authority read = read_authority(host);
  if (host.find('*') != std::string_view::npos) {
    diagnostics.error(name.mark, "\"" + name.value + "\": *. stands in front alone, for one or more labels");
  } else if (!read.valid || read.host.empty()) {
    diagnostics.error(name.mark, "\"" + name.value + "\" is no host name");
  } else if (read.host.size() + 1 < host.size() || (host.back() != '.' && read.host.size() != host.size())) {
    diagnostics.error(name.mark, "\"" + name.value + "\": names are compared without port; leave it out");
  }
}

}  // namespace

std::size_t CaseInsensitiveHash::operator()(std::string_view text) const {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(lower(c))) * 0x100000001b3;
  return hash;
}

bool CaseInsensitiveEqual::operator()(std::string_view a, std::string_view b) const {
  return equal_ignoring_case(a, b);
}

HeaderValues HeaderValues::compile(const config::Texts& values, config::Diagnostics& diagnostics) {
  HeaderValues result;
  for (const config::Text& value : values) {
    if (value.value.starts_with('~')) {
      if (auto expression = Expression::compile(value, diagnostics))
        result.expressions_.push_back(std::move(*expression));
    } else {
      result.exact_.insert(value.value);
    }
  }
  return result;
}

bool HeaderValues::matches(std::string_view value) const {
  return exact_.find(value) != exact_.end() ||
         std::any_of(expressions_.begin(), expressions_.end(),
                     [value](const Expression& expression) { return expression.found_in(value); });
}

HostPatterns HostPatterns::compile(const config::Texts& names, config::Diagnostics& diagnostics) {
  HostPatterns result;
  for (const config::Text& name : names) {
    std::string_view host = name.value;
    const bool suffix = host.starts_with("*.");
    if (suffix) host.remove_prefix(2);
    check_name(name, host, diagnostics);
    (suffix ? result.suffixes_ : result.exact_).emplace(without_trailing_dot(host));
  }
  return result;
}

bool HostPatterns::matches(std::string_view host) const {
  host = without_trailing_dot(host);
  if (exact_.find(host) != exact_.end()) return true;
  if (suffixes_.empty()) return false;
  for (std::size_t dot = host.find('.'); dot != std::string_view::npos; dot = host.find('.', dot + 1)) {
    if (dot != 0 && suffixes_.find(host.substr(dot + 1)) != suffixes_.end()) return true;
  }
  return false;
}

}  // namespace sekisho::policy
