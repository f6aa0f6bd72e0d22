// What is said of each ban: its text, its end, and how often its client has been banned lately.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "ratelimit/ban_entry.hpp"
#include "ratelimit/ban_events.hpp"

namespace sekisho::ratelimit {

// At most `max_listed` bans: those in force and, as room is left, those that ended within 24 h, so that the
// next one can be longer. A ban for which there is no room is not listed. Every function but read() and
// settle(), which are told how far to go, takes a time that hardly grows with the list: workers wait for it.
// Not thread-safe.
class BanList {
 public:
  static constexpr std::size_t max_listed = 65536;
  static constexpr Duration memory = std::chrono::hours(24);

  // Which ban in succession the next one of this key would be: 1 for the first.
  unsigned repetition(Key key, Instant now) const;
  // A ban begins. False: it is not listed.
  bool add(const BanEntry& entry, Instant now);
  // Ends at most `most` of the bans that are over; true where none is left to end. Also forgets those whose
  // memory is over.
  bool settle(Instant now, std::size_t most);
  // A ban that was lifted: forgotten, so that the next one of the key is its first. False: it is not listed.
  bool lift(Key key);
  // The table gave up a ban that ends at `until`: the one of which `gone` is true. False: it is not listed.
  bool evict(Instant until, const std::function<bool(Key)>& gone);

  // Bans that have begun and not ended.
  std::uint64_t running() const { return running_.size(); }
  std::uint64_t running(const BanningLimit& limit) const;
  // Of the limit of that name, whatever it went by.
  std::uint64_t running(std::string_view limit) const;

  struct ByEnd {
    Instant until = Instant::min();
    Key key;
    bool operator<(const ByEnd& other) const {
      return std::tie(until, key.high, key.low) < std::tie(other.until, other.key.high, other.key.low);
    }
  };
  // Shows the next `most` of the running bans after `place`, and moves it on; false where there is none.
  bool read(ByEnd& place, std::size_t most, const std::function<void(const BanEntry&)>& visit) const;

  // What add, settle, lift and evict did, and bans that are not listed: the owner says the end of those.
  BanEvents& events() { return events_; }
  const BanEvents& events() const { return events_; }

 private:
  struct KeyHash {
    std::size_t operator()(Key key) const { return static_cast<std::size_t>(key.high ^ key.low); }
  };

  void begin(const BanEntry& entry);
  void end(std::set<ByEnd>::iterator place, BanEvent::Kind kind);
  void forget_oldest();

  std::unordered_map<Key, BanEntry, KeyHash> entries_;
  // Every entry is in one of these.
  std::set<ByEnd> running_;
  std::set<ByEnd> past_;
  std::map<BanningLimit, std::uint64_t> by_limit_;  // those running
  BanEvents events_;
};

}  // namespace sekisho::ratelimit
