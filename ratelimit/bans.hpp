// Who is banned until when: a table of words looked up without locks, and a bounded list of their text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ratelimit/ban_entry.hpp"
#include "ratelimit/ban_events.hpp"
#include "ratelimit/ban_list.hpp"
#include "ratelimit/instant.hpp"
#include "ratelimit/key.hpp"

namespace sekisho::ratelimit {

struct BansStats {
  std::uint64_t evictions = 0;       // bans dropped before their end because the table was full
  std::uint64_t unlisted = 0;        // bans in force that are not listed; exact after a sweep
  std::uint64_t events_dropped = 0;  // of those that take_events() would have given
};

// banned_for, prefetch and any are lock-free and allocate nothing. The rest is cold and takes a mutex, which
// nobody holds for longer than a few dozen bans take: workers set bans under it. A ban's length is fixed when
// it is set and survives reloads. Thread-safe.
class Bans {
 public:
  static constexpr std::size_t max_listed = BanList::max_listed;  // bans beyond that hold but are not listed

  // Memory for a table, taken whole and zeroed.
  class Room;
  struct RoomDeleter {
    void operator()(Room* room) const;
  };
  using RoomPtr = std::unique_ptr<Room, RoomDeleter>;

  // Takes the whole table at once (bytes_for(capacity)), zeroed. Throws std::bad_alloc.
  Bans(std::size_t capacity, Instant now);
  ~Bans();
  static std::size_t bytes_for(std::size_t capacity);
  std::size_t capacity() const;
  // Throws std::bad_alloc.
  static RoomPtr make_room(std::size_t capacity);
  // From here on the capacity that `room` was made for; every ban goes on. One caller at a time.
  void resize(RoomPtr room);

  // True while any ban may be in force: one relaxed load, to skip the look-ups of a quiet site.
  bool any() const;
  // Asks the processor for the key's two lines.
  void prefetch(Key key) const;
  // What is left of the key's ban; nullopt when it has none. `key` must be salted by the limit.
  std::optional<Duration> banned_for(Key key, Instant now) const;
  // Bans the key, unless it is banned already (then returns nullopt: another worker was first). Returns the
  // new ban.
  std::optional<BanEntry> ban(Key key, std::string_view limit, std::string_view client, const BanTerms& terms,
                              Instant now);
  // From here on only the bans of these limits are listed and counted; until the first call all are. Those of
  // others (dropped, renamed, without ban now, keyed in another way) refuse nobody, but do again when their
  // limit comes back as it was.
  void enforce(std::vector<BanningLimit> limits);
  // Bans in force, the latest first.
  std::vector<BanEntry> list(Instant now) const;
  // Those listed whose client text equals `client`, whether their limits are enforced or not.
  std::vector<BanEntry> find(std::string_view client, Instant now) const;
  // Lifts the ban of this key, be it listed or not; limit and client are for the event of one that is not.
  // False: there is none.
  bool lift(const BanEntry& ban, Instant now);
  // What became of bans since the last call, in the order in which it did. Bans beyond the list have no end
  // here but by lift().
  BanNews take_events(Instant now);
  // Zeroes idle words, and frees tables of before in which no ban is left; `quiet` as for Limiter::sweep. One
  // caller at a time, who is the one that resizes.
  void sweep(Instant now, Instant quiet = Instant::min());
  // Listed bans in force.
  std::uint64_t active(std::string_view limit, Instant now) const;
  BansStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sekisho::ratelimit
