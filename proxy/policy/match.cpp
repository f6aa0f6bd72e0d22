#include "proxy/policy/match.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "proxy/policy/ascii.hpp"
#include "proxy/policy/field_lookup.hpp"
#include "proxy/policy/trace.hpp"

namespace sekisho::policy {

Match Match::compile(const config::Match& match, config::Diagnostics& diagnostics) {
  Match result;
  if (match.paths) result.paths_ = PathSet::compile(*match.paths, diagnostics);
  if (match.methods) {
    for (const config::Text& method : *match.methods) {
      result.methods_.push_back(method.value);
      if (method.value == "GET") result.methods_.emplace_back("HEAD");
    }
  }
  if (match.hosts) result.hosts_ = HostPatterns::compile(*match.hosts, diagnostics);
  for (const config::HeaderMatch& header : match.headers) {
    std::string name = header.name.value;
    std::ranges::transform(name, name.begin(), lower);
    result.headers_.push_back({std::move(name), HeaderValues::compile(header.values, diagnostics)});
  }
  if (match.networks) result.networks_ = NetworkSet::compile(*match.networks, {}, diagnostics);
  for (const config::Match& except : match.except) result.except_.push_back(compile(except, diagnostics));
  return result;
}

bool Match::paths_hold(const MatchSource& source, bool surely, std::string_view* path) const {
  if (surely) return paths_->matches_all(*source.paths).matched;
  const PathMatch match = paths_->matches_any(*source.paths);
  if (path != nullptr && !match.reading.empty()) *path = match.reading;
  return match.matched;
}

bool Match::methods_hold(std::string_view method) const {
  return std::ranges::find(methods_, method) != methods_.end();
}

bool Match::header_holds(const Header& header, const Request& request, bool surely) {
  bool present = false;
  for (const Field& field : request.fields) {
    if (!is_variable(field.name, header.name)) continue;
    present = present || is_field(field.name, header.name);  // other spellings may also be dropped on the way
    if (header.values.matches(field.value) != surely) return !surely;
  }
  return present ? surely : header.values.matches({});
}

// The cheap clauses stand first, so that expressions are asked of few requests.
Match::Clause Match::failing(const MatchSource& source, bool surely, std::string_view* path) const {
  if (path != nullptr) *path = source.paths->usual();
  if (!methods_.empty() && !methods_hold(source.request->method)) return Clause::methods;
  if (hosts_ && !hosts_->matches(source.host)) return Clause::hosts;
  if (networks_ && !networks_->contains(source.client)) return Clause::networks;
  if (paths_ && !paths_hold(source, surely, path)) return Clause::paths;
  for (const Header& header : headers_) {
    if (!header_holds(header, *source.request, surely)) return Clause::headers;
  }
  for (const Match& except : except_) {
    if (except.failing(source, !surely, nullptr) == Clause::none) return Clause::except;
  }
  return Clause::none;
}

std::string Match::explain(const MatchSource& source, bool surely) const {
  const auto path_text = [&](const PathMatch& match) {
    std::string text = fmt::format("path matches {}", match.pattern);
    if (!match.entry.empty()) text += fmt::format(" ({})", match.entry);
    if (!match.reading.empty() && match.reading != source.paths->usual()) {
      text += fmt::format(" when read as {}", escaped(match.reading));
    }
    return match.pattern.empty() ? std::string("the path can be read in too many ways") : text;
  };
  switch (failing(source, surely, nullptr)) {
    case Clause::none:
      if (!paths_) return "matches";
      return "matches: " +
             path_text(surely ? paths_->matches_all(*source.paths) : paths_->matches_any(*source.paths));
    case Clause::paths:
      return surely ? "not matched: paths (in every reading of the path)" : "not matched: paths";
    case Clause::methods:
      return fmt::format("not matched: methods ({} is none of {})", escaped(source.request->method),
                         fmt::join(methods_, ", "));
    case Clause::hosts:
      return fmt::format("not matched: hosts ({})", source.host.empty() ? "none" : escaped(source.host));
    case Clause::networks:
      return fmt::format("not matched: networks ({})", source.client.to_string());
    case Clause::headers:
      for (const Header& header : headers_) {
        if (!header_holds(header, *source.request, surely))
          return fmt::format("not matched: headers ({})", header.name);
      }
      break;
    case Clause::except:
      for (const Match& except : except_) {
        if (except.failing(source, !surely, nullptr) == Clause::none) {
          return fmt::format("not matched: except ({})", except.explain(source, !surely));
        }
      }
      break;
  }
  return "not matched";
}

}  // namespace sekisho::policy
