// One ban: for how long, and what is said of it.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "ratelimit/instant.hpp"
#include "ratelimit/key.hpp"

namespace sekisho::ratelimit {

// No ban is shorter than a millisecond, the unit of their ends, nor longer than 198 days.
struct BanTerms {
  Duration length{};  // of the first ban
  // The length doubles with each ban within 24 h of the last one's end, up to this; absent: no growth.
  std::optional<Duration> up_to;
  std::uint64_t recipe = 0;  // says what the limit's bans go by
};

// A limit's bans hold while it bans, and goes by what it went by when they were set.
struct BanningLimit {
  std::string name;
  std::uint64_t recipe = 0;
  friend auto operator<=>(const BanningLimit&, const BanningLimit&) = default;
};

struct BanEntry {
  Key key;
  std::string limit;   // the limit that set it
  std::string client;  // text of the banned client (an address, a network or a key)
  Instant until;
  Duration length{};
  unsigned repetition = 1;
  std::uint64_t recipe = 0;  // as in its terms

  BanningLimit set_by() const { return {limit, recipe}; }
};

}  // namespace sekisho::ratelimit
