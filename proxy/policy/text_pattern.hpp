// Patterns over plain text: header values and host names.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "config/config.hpp"
#include "config/diagnostics.hpp"
#include "proxy/policy/expression.hpp"

namespace sekisho::policy {

// Lowers and hashes as it compares, so that looking up a name as received allocates nothing.
struct CaseInsensitiveHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const;
};
struct CaseInsensitiveEqual {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

// Values a header may have: exact text (letter case counts), `~` an RE2 expression that searches, "" for
// absent or empty. One instance a worker: RE2 locks when shared.
class HeaderValues {
 public:
  static HeaderValues compile(const config::Texts& values, config::Diagnostics& diagnostics);

  // `value` is empty for a header that is absent. Only a written "" matches it, except for expressions, which
  // see the empty text.
  bool matches(std::string_view value) const;

 private:
  std::unordered_set<std::string, TextHash, std::equal_to<>> exact_;
  std::vector<Expression> expressions_;
};

// Host names: exact, or `*.` in front for one or more labels. Letter case and one trailing dot do not count.
class HostPatterns {
 public:
  static HostPatterns compile(const config::Texts& names, config::Diagnostics& diagnostics);

  // `host` is without port; may have a trailing dot. Allocates nothing; time does not grow with the number of
  // names.
  bool matches(std::string_view host) const;
  bool empty() const { return exact_.empty() && suffixes_.empty(); }

 private:
  using Names = std::unordered_set<std::string, CaseInsensitiveHash, CaseInsensitiveEqual>;
  Names exact_;
  Names suffixes_;  // "example.jp" for "*.example.jp"
};

}  // namespace sekisho::policy
