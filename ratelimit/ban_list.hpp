// What is said of each ban: its text, its end, and how often its client has been banned lately.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ratelimit/bans.hpp"

namespace sekisho::ratelimit {

// At most Bans::max_listed bans: those in force and, as room is left, those that ended within 24 h, so that
// the next one can be longer. A ban for which there is no room is not listed. Not thread-safe.
class BanList {
 public:
  static constexpr Duration memory = std::chrono::hours(24);

  // Which ban in succession the next one of this key would be: 1 for the first.
  unsigned repetition(Key key, Instant now) const;
  void add(Key key, const BanEntry& entry, Instant now);
  // Takes out, and forgets, the bans in force of this client.
  std::vector<std::pair<Key, BanEntry>> take(std::string_view client, Instant now);
  // Those not over of which `holds` is true, the latest first.
  using Holds = std::function<bool(Key, const BanEntry&)>;
  std::vector<BanEntry> in_force(Instant now, const Holds& holds) const;
  std::uint64_t count(std::string_view limit, Instant now, const Holds& holds) const;
  // The bans that ended since the last call. Forgets those whose memory is over.
  std::vector<BanEntry> ended(Instant now);

 private:
  struct KeyHash {
    std::size_t operator()(Key key) const { return static_cast<std::size_t>(key.high ^ key.low); }
  };
  struct ByEnd {
    Instant until;
    Key key;
    bool operator<(const ByEnd& other) const {
      return std::tie(until, key.high, key.low) < std::tie(other.until, other.key.high, other.key.low);
    }
  };

  void erase(const ByEnd& place);

  std::unordered_map<Key, BanEntry, KeyHash> entries_;
  // Every entry is in one of these: `reported_` once ended() has returned it.
  std::set<ByEnd> running_;
  std::set<ByEnd> reported_;
  std::vector<BanEntry> replaced_;  // ended and begun anew before ended() was asked
};

}  // namespace sekisho::ratelimit
