// The plausible readings of a request's path: what the origin behind us may take it for.
//
// A path like /users/sign_in reads one way. /x/..%2fusers/sign_in does not: one origin takes %2f for a slash
// and serves the sign-in form, another sees a file name. An attacker picks whichever gets round the limit, so
// a limit matches if ANY reading matches, and what widens (except, exempt) only if EVERY reading does.
//
// Every reading begins with "/" and has runs of slashes folded, as Rails' router (Journey) does; query,
// fragment, and the scheme and authority of absolute-form are gone. The first reading is the usual one:
// percent-decoded once, "." and ".." resolved (never above the root), ;parameters dropped. Only where the
// path gives cause, these ways of reading are varied against each other:
//   escapes      decoded once; decoded twice and three times where an escape is left; and, where one stands
//   for a character that
//                needs none (%70), kept: Journey matches the path undecoded
//   %2f          a slash; or kept as it is, part of its segment
//   \ and %5c    itself; or a slash, as Windows and the URL parsers of browsers have it
//   ;parameters  dropped (Tomcat, which then sees ".." in "..;"); or kept (Rack, Rails)
//   . and ..     resolved; kept (Journey); with empty segments counted, as RFC 3986 resolves "a//.."
//   odd bytes    themselves; or decoded as lax decoders do: overlong UTF-8 (%c0%af) and %u002f
//   cut          whole; or ended at a decoded NUL, "?" or "#"
// Rails' own ways with letter case, a trailing slash and ".json" belong to the patterns (path_pattern.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "proxy/policy/request_target.hpp"

namespace sekisho::policy {

// Scratch, reused from request to request: warm, read() allocates nothing. Not thread-safe.
class PathReadings {
 public:
  static constexpr std::size_t max_readings = 32;
  // Bytes that may be written for one path, over all ways of reading it: the work that a client can cause.
  static constexpr std::size_t max_work = 160 * 1024;

  // Reads the path of a request-target in any form. The readings view into `target` or into this, and hold
  // until the next read().
  void read(std::string_view target) { read(target, read_target(target)); }
  // The same where it was taken apart already.
  void read(std::string_view target, const RequestTarget& parts);

  // The usual reading alone, which costs one pass over the path. It holds until the next call of this or
  // read(), and ends what read() left.
  std::string_view usual_of(std::string_view target);

  std::span<const std::string_view> all() const { return {readings_.data(), count_}; }
  // The usual reading.
  std::string_view usual() const { return readings_[0]; }
  // More ways of reading than the bounds allow: the ones here are not all. What matches any reading must then
  // match, and what needs all must not. No honest client sends such a path.
  bool incomplete() const { return incomplete_; }

 private:
  struct Ways;   // one choice for each of the above
  struct Cause;  // which of them the path gives cause to vary

  static bool is_clean(std::string_view path);
  static Cause causes_of(std::string_view path, std::string& scratch);
  void vary(std::string_view path, const Cause& cause);
  // Adds the reading of `path` by `ways` if it is new; false when the bounds are reached.
  bool add(std::string_view path, const Ways& ways);

  std::array<std::string_view, max_readings> readings_{std::string_view("/")};
  std::size_t count_ = 1;
  bool incomplete_ = false;
  std::size_t work_ = 0;
  std::string store_;    // the readings, one after the other
  std::string decoded_;  // one reading on its way
  std::string folded_;
};

}  // namespace sekisho::policy
