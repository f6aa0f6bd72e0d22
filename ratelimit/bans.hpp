// Who is banned until when: a table of words looked up without locks, and a bounded list of their text.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ratelimit/instant.hpp"
#include "ratelimit/key.hpp"

namespace sekisho::ratelimit {

// No ban is shorter than a millisecond, the unit of their ends, nor longer than 198 days.
struct BanTerms {
  Duration length{};  // of the first ban
  // The length doubles with each ban within 24 h of the last one's end, up to this; absent: no growth.
  std::optional<Duration> up_to;
};

struct BanEntry {
  std::string limit;   // the limit that set it
  std::string client;  // text of the banned client (an address, a network or a key)
  Instant until;
  Duration length{};
  unsigned repetition = 1;
};

// banned_for, prefetch and any are lock-free and allocate nothing; the rest is cold and takes a mutex. A
// ban's length is fixed when it is set and survives reloads. Thread-safe.
class Bans {
 public:
  static constexpr std::size_t max_listed = 65536;  // bans beyond that hold but are not listed

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
  // others (dropped, renamed, without ban now) refuse nobody, but do again when their limit comes back.
  void enforce(std::vector<std::string> limits);
  // Lifts every ban whose client text equals `client`; returns what was lifted.
  std::vector<BanEntry> lift(std::string_view client, Instant now);
  // Bans in force, the latest first.
  std::vector<BanEntry> list(Instant now) const;
  // Those that ended since the last call, for the log's unban events. Also zeroes idle words, and frees
  // tables of before in which no ban is left; `quiet` as for Limiter::sweep. One caller at a time.
  std::vector<BanEntry> sweep(Instant now, Instant quiet = Instant::min());
  std::uint64_t active(std::string_view limit, Instant now) const;
  // Bans dropped before their end because the table was full: no longer in force, and not listed.
  std::uint64_t evictions() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sekisho::ratelimit
