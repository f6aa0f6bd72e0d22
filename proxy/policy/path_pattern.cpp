#include "proxy/policy/path_pattern.hpp"

#include <algorithm>

#include "proxy/policy/ascii.hpp"

namespace sekisho::policy {
namespace {

bool has_star(std::string_view text) {
  return text.find('*') != std::string_view::npos;
}

// One segment against one pattern segment in which `*` is any run. On a mismatch only the last star has to
// take one more.
bool segment_matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

// `rest` begins with "/" or is empty; takes its first segment off.
std::string_view take_segment(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('/', 1), rest.size());
  const std::string_view segment = rest.substr(1, end - 1);
  rest.remove_prefix(end);
  return segment;
}

// Why no usual reading of a path (path_readings.hpp) has this text, or nothing.
std::optional<std::string> unmatchable(std::string_view path) {
  for (std::size_t at = 0; at + 2 < path.size(); ++at) {
    if (path[at] != '%' || hex_value(path[at + 1]) < 0 || hex_value(path[at + 2]) < 0) continue;
    return "paths are matched decoded, so this can never match: write the decoded character, not " +
           std::string(path.substr(at, 3));
  }
  if (path.find("//") != std::string_view::npos)
    return "paths are matched with // folded, so this can never match";
  for (std::string_view rest = path; !rest.empty();) {
    const std::string_view segment = take_segment(rest);
    if (segment == "." || segment == "..")
      return "paths are matched with . and .. resolved, so this can never match";
  }
  return std::nullopt;
}

}  // namespace

std::string_view without_trailing_slash(std::string_view path) {
  if (!path.empty() && path.back() == '/') path.remove_suffix(1);
  return path;
}

std::string_view without_format(std::string_view path) {
  // Journey's format is one or more characters other than "." and "/", after something.
  const std::size_t dot = path.find_last_of("./");
  const bool format = dot != std::string_view::npos && path[dot] == '.' && dot + 1 < path.size() && dot > 1 &&
                      path[dot - 1] != '/';
  return format ? path.substr(0, dot) : path;
}

std::optional<PathPattern> PathPattern::compile(const config::Text& text, config::Diagnostics& diagnostics) {
  std::string problem;
  auto pattern = parse(text.value, problem);
  if (!pattern) diagnostics.error(text.mark, problem);
  return pattern;
}

std::optional<PathPattern> PathPattern::parse(std::string_view text, std::string& problem) {
  PathPattern pattern;
  const bool exact = text.starts_with('=');
  const std::string_view path = exact ? text.substr(1) : text;
  const std::string quoted = "\"" + std::string(text) + "\"";
  if (path.empty() || path.front() != '/') {
    problem = quoted + ": a path pattern begins with \"/\" (or with ~, =/ or builtin:)";
    if (!path.empty())
      problem += "; did you mean \"" + std::string(exact ? "=/" : "/") + std::string(path) + "\"?";
    return std::nullopt;
  }
  if (path.find_first_of("?#") != std::string_view::npos) {
    problem = quoted + ": a pattern is held against the path alone, which has neither query nor fragment";
    return std::nullopt;
  }
  if (const auto wrong = unmatchable(path)) {
    problem = quoted + ": " + *wrong;
    return std::nullopt;
  }
  if (exact) {
    pattern.kind_ = Kind::exact;
    pattern.path_ = path;
    return pattern;
  }
  if (const auto wrong = pattern.split(path)) {
    problem = quoted + ": " + *wrong;
    return std::nullopt;
  }
  return pattern;
}

std::optional<std::string> PathPattern::split(std::string_view text) {
  path_ = without_trailing_slash(text);
  for (std::string_view rest = path_; !rest.empty();) {
    const std::string_view segment = take_segment(rest);
    if (segment != "**" && segment.find("**") != std::string_view::npos)
      return "** stands alone between slashes; * is a run within a segment";
    // "**/**" says no more than "**".
    if (segment == "**" && !segments_.empty() && segments_.back() == "**") continue;
    segments_.emplace_back(segment);
  }
  kind_ = has_star(path_) ? Kind::glob : Kind::literal;
  if (kind_ == Kind::glob) find_required();
  return std::nullopt;
}

void PathPattern::find_required() {
  std::string run;
  const auto end_run = [this, &run](std::string next) {
    if (run.size() > required_.size()) required_ = run;
    run = std::move(next);
  };
  for (const std::string& segment : segments_) {
    if (segment == "**") {
      end_run("");
      continue;
    }
    run += '/';
    for (const char c : segment) {
      if (c == '*') {
        end_run("");
      } else {
        run += c;
      }
    }
  }
  end_run("");
}

bool PathPattern::matches(std::string_view path) const {
  if (kind_ == Kind::exact) return path == path_;
  path = without_trailing_slash(path);
  if (kind_ == Kind::glob) return matches_segments(path);
  return path == path_ || (!path_.empty() && without_format(path) == path_);
}

bool PathPattern::matches_segments(std::string_view rest) const {
  std::size_t p = 0;
  std::size_t wide = std::string::npos;  // the last ** passed, and where to resume after it
  std::string_view resume;
  // True where the path's last segment, less its format, is pattern `at`, and no pattern but ** is left.
  const auto ends_with_format = [this](std::size_t at, std::string_view segment, std::string_view left) {
    if (!left.empty() || at >= segments_.size() || has_star(segments_[at])) return false;
    const bool last = at + 1 == segments_.size() || (at + 2 == segments_.size() && segments_[at + 1] == "**");
    const std::size_t dot = segment.rfind('.');
    return last && dot != std::string_view::npos && dot + 1 < segment.size() &&
           segment.substr(0, dot) == segments_[at];
  };
  while (!rest.empty()) {
    if (p < segments_.size() && segments_[p] == "**") {
      wide = p++;
      resume = rest;
      continue;
    }
    std::string_view left = rest;
    const std::string_view segment = take_segment(left);
    if (p < segments_.size() && segment_matches(segments_[p], segment)) {
      ++p;
      rest = left;
    } else if (ends_with_format(p, segment, left)) {
      return true;
    } else if (wide != std::string::npos) {
      p = wide + 1;
      take_segment(resume);
      rest = resume;
    } else {
      return false;
    }
  }
  return p == segments_.size() || (p + 1 == segments_.size() && segments_[p] == "**");
}

}  // namespace sekisho::policy
