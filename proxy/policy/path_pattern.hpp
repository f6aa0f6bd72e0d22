// One path pattern of the configuration, taken apart; and the matching of one with wildcards.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/diagnostics.hpp"

namespace sekisho::policy {

// `*` is any run within a segment, `**` zero or more whole segments: /admin/** covers /admin. A trailing
// slash of the path is ignored, and, where the last segment that matched has no wildcard, a format suffix
// (/login.json), as Rails' routes do. `=/login` is that alone, byte for byte. Letter case counts.
class PathPattern {
 public:
  enum class Kind : std::uint8_t {
    literal,  // no wildcard: equal text, but for a trailing slash and a format suffix
    exact,    // `=`: equal text
    glob,
  };

  // nullopt, with a located error, where `text` is no such pattern. Expressions (~) and catalogues are not
  // for this.
  static std::optional<PathPattern> compile(const config::Text& text, config::Diagnostics& diagnostics);
  // The same without a place: nullopt and `problem`.
  static std::optional<PathPattern> parse(std::string_view text, std::string& problem);

  Kind kind() const { return kind_; }
  // literal and exact: the path it is equal to, the former without trailing slash ("/" is "").
  const std::string& path() const { return path_; }
  // glob: the longest text that every path it matches has in it; empty where there is none.
  std::string_view required_text() const { return required_; }

  // `path` is a reading. Allocates nothing.
  bool matches(std::string_view path) const;

 private:
  std::optional<std::string> split(std::string_view text);  // a problem, or nothing
  void find_required();
  bool matches_segments(std::string_view path) const;

  Kind kind_ = Kind::literal;
  std::string path_;
  std::vector<std::string> segments_;
  std::string required_;
};

// `path` without one trailing slash; "/" becomes "".
std::string_view without_trailing_slash(std::string_view path);
// `path`, which has no trailing slash, without ".json" or another format suffix of its last segment;
// unchanged where it has none.
std::string_view without_format(std::string_view path);

}  // namespace sekisho::policy
