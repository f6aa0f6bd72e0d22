// One match of the configuration, made ready for one worker: all its clauses hold, within a clause any value
// does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/diagnostics.hpp"
#include "config/ip_address.hpp"
#include "proxy/policy/network_set.hpp"
#include "proxy/policy/path_readings.hpp"
#include "proxy/policy/path_set.hpp"
#include "proxy/policy/request.hpp"
#include "proxy/policy/text_pattern.hpp"

namespace sekisho::policy {

// What a match may ask of a request.
struct MatchSource {
  const Request* request = nullptr;
  const PathReadings* paths = nullptr;
  config::IpAddress client;
  std::string_view host;  // without port
};

// Not thread-safe (expressions and path sets have scratch).
//
// Where a request can be read in several ways (a path with several readings, a header on several lines
// or spelt with "_" for "-"), a
// match that leads to a refusal holds if any reading does, and one that spares a request (except, exempt)
// only if every reading does. An except within an except turns that round again.
class Match {
 public:
  enum class Clause : std::uint8_t { none, paths, methods, hosts, headers, networks, except };

  static Match compile(const config::Match& match, config::Diagnostics& diagnostics);

  // `path`, when given, becomes the reading of the path that matched (the usual one where no clause asks for
  // paths).
  bool holds(const MatchSource& source, std::string_view* path = nullptr) const {
    return failing(source, false, path) == Clause::none;
  }
  // Every reading matches: for exempt.
  bool holds_surely(const MatchSource& source) const {
    return failing(source, true, nullptr) == Clause::none;
  }

  // For `explain`: what holds of it, or the clause that does not and why. Client bytes in it are escaped.
  std::string explain(const MatchSource& source, bool surely) const;

 private:
  struct Header {
    std::string name;  // in lower case
    HeaderValues values;
  };

  Clause failing(const MatchSource& source, bool surely, std::string_view* path) const;
  bool paths_hold(const MatchSource& source, bool surely, std::string_view* path) const;
  bool methods_hold(std::string_view method) const;
  static bool header_holds(const Header& header, const Request& request, bool surely);

  std::optional<PathSet> paths_;
  std::vector<std::string> methods_;
  std::optional<HostPatterns> hosts_;
  std::vector<Header> headers_;
  std::optional<NetworkSet> networks_;
  std::vector<Match> except_;
};

}  // namespace sekisho::policy
