// The table under buckets, bans and counters: lines of eight words, two candidate lines a key, one member a
// key.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <optional>
#include <span>
#include <utility>

#include "ratelimit/key.hpp"
#include "ratelimit/line_filter.hpp"
#include "ratelimit/pages.hpp"
#include "ratelimit/word.hpp"

namespace sekisho::ratelimit {

// What became of Table::update.
struct Update {
  std::size_t index = 0;        // where the member stands, when it was written
  bool full = false;            // nothing could be taken for a new member (only for Rules that never evict)
  std::uint64_t evictions = 0;  // members worth keeping that were dropped
  std::uint64_t evicted_weight = 0;  // and their weight
};

// Lock-free and without allocation once built. The claim protocol that keeps a key from having two members,
// and why it does, is in docs/limiter.md, "The claim protocol"; the step letters below are that page's.
//
// What values mean is the caller's, given as Rules:
//   static constexpr bool evicts;              // whether a full pair of lines gives up its lightest member
//   bool spent(std::uint64_t value) const;     // as good as absent: free to take
//   std::uint64_t weight(std::uint64_t) const; // what dropping a member would cost
template <class Atomics>
class Table {
 public:
  static constexpr std::size_t line_words = 8;
  static constexpr std::size_t line_bytes = line_words * sizeof(std::uint64_t);
  static constexpr std::size_t bytes_per_entry = 16;  // half full at capacity: placement does not fail there

  struct Place {
    std::uint64_t tag;
    std::size_t first;   // index of the first word of the preferred line
    std::size_t second;  // of the other
  };

  // Throws std::bad_alloc.
  explicit Table(std::size_t capacity) : lines_(lines_for(capacity)), pages_(lines_ * line_bytes) {}

  static std::size_t bytes_for(std::size_t capacity) { return lines_for(capacity) * line_bytes; }

  Place place(Key key) const {
    const std::size_t first = reduce(key.high);
    std::size_t second = reduce(mix(key.high));
    if (second == first) second = first + 1 == lines_ ? 0 : first + 1;
    return {word::tag_of(key), first * line_words, second * line_words};
  }

  void prefetch(const Place& place) const {
    // For reading: a refusal must leave the line shared among the processors.
    __builtin_prefetch(&words()[place.first]);
    __builtin_prefetch(&words()[place.second]);
  }

  // The value of the key's member.
  std::optional<std::uint64_t> find(const Place& place) const {
    const Hit hit = locate(place);
    return hit ? std::optional(word::value(hit.word)) : std::nullopt;
  }

  // Replaces the key's value by what `decide` makes of it: decide(std::optional<value>) ->
  // std::optional<value>, where nullopt in means no member and nullopt out means leave everything as it is
  // (then nothing is stored). Called anew whenever another thread was faster; the last call is the one that
  // holds.
  template <class Rules, class Decide>
  Update update(const Place& place, const Rules& rules, Decide&& decide) {
    Update done;
    for (unsigned round = 0;; ++round) {
      if (Hit hit = locate(place)) {
        if (rewrite(hit, place.tag, decide)) {
          done.index = hit.index;
          return done;
        }
      } else {
        const std::optional<std::uint64_t> value = decide(std::optional<std::uint64_t>());
        if (!value || insert(place, rules, *value, round >= patience, done)) return done;
        Atomics::pause();
      }
    }
  }

  // A member as it was seen; of nothing, where none was.
  struct Hit {
    std::size_t index = 0;
    std::uint64_t word = word::empty;
    explicit operator bool() const { return word != word::empty; }
  };
  // What an update nearly always is, for a caller who has no register to spare: the key's member found at the
  // first look, and changed unless somebody else was faster. Where one of the two fails, update() does it
  // all.
  Hit look(const Place& place) const {
    if constexpr (filtered) {
      __builtin_prefetch(&words()[place.second]);  // on its way while the first is looked at
      std::size_t index = place.first + line_filter::find(&words()[place.first], place.tag);
      if (index == place.first + line_filter::none) {
        index = place.second + line_filter::find(&words()[place.second], place.tag);
        if (index == place.second + line_filter::none) [[unlikely]]
          return {};
      }
      // What counts is the atomic load of the word that the filter names.
      const std::uint64_t seen = Atomics::load(words()[index], std::memory_order_relaxed);
      return {index, word::is_member_of(seen, place.tag) ? seen : word::empty};
    } else {
      return scan(place);
    }
  }
  bool replace(const Hit& hit, std::uint64_t tag, std::uint64_t value) {
    std::uint64_t seen = hit.word;
    return Atomics::compare_exchange_weak(words()[hit.index], seen, word::member(tag, value),
                                          std::memory_order_relaxed);
  }

  // As update, for a member whose index is known and which cannot have been dropped since.
  template <class Decide>
  bool update_at(std::size_t index, std::uint64_t tag, Decide&& decide) {
    Hit hit{index, Atomics::load(words()[index], std::memory_order_relaxed)};
    return word::is_member_of(hit.word, tag) && rewrite(hit, tag, decide);
  }

  // Walks every word once: zeroes spent members, kills claims (their owners, if any, start again) and shows
  // the values of the others to `visit`.
  template <class Rules, class Visit>
  void sweep(const Rules& rules, Visit&& visit) {
    sweep(words(), rules, visit);
  }
  // The same for some of words().
  template <class Rules, class Visit>
  static void sweep(std::span<std::uint64_t> some, const Rules& rules, Visit&& visit) {
    for (std::uint64_t& slot : some) {
      std::uint64_t seen = Atomics::load(slot, std::memory_order_relaxed);
      if (seen == word::empty) continue;
      if (word::is_claim(seen) || rules.spent(word::value(seen))) {
        Atomics::compare_exchange_strong(slot, seen, word::empty, std::memory_order_seq_cst);
      } else {
        visit(word::value(seen));
      }
    }
  }

  std::span<std::uint64_t> words() {
    return {static_cast<std::uint64_t*>(pages_.data()), lines_ * line_words};
  }
  std::span<const std::uint64_t> words() const {
    return {static_cast<const std::uint64_t*>(pages_.data()), lines_ * line_words};
  }
  const Pages& pages() const { return pages_; }

 private:
  // How many times an insert gives way to a claim of higher priority before it takes its owner for stalled.
  static constexpr unsigned patience = 32;

  // Only a policy that says so has words read past it.
  static constexpr bool filtered = line_filter::present && requires { Atomics::filter_reads_past_me; };
  static_assert(line_words == line_filter::words);

  static std::size_t lines_for(std::size_t capacity) {
    if (capacity > std::numeric_limits<std::size_t>::max() / bytes_per_entry / 4) throw std::bad_alloc();
    const std::size_t lines = (capacity * bytes_per_entry + line_bytes - 1) / line_bytes;
    return lines < 2 ? 2 : lines;
  }

  __extension__ using Wide = unsigned __int128;
  std::size_t reduce(std::uint64_t hash) const {
    return static_cast<std::size_t>(static_cast<Wide>(hash) * lines_ >> 64);
  }
  // The hash with its halves changed: the first line is chosen by the upper bits, the second by the lower
  // ones.
  static std::uint64_t mix(std::uint64_t hash) { return std::rotl(hash, 32); }

  // The key's member, or nothing: which only a scan says, never the filter.
  Hit locate(const Place& place) const {
    if constexpr (filtered) {
      if (const Hit hit = look(place)) [[likely]]
        return hit;
    }
    return scan(place);
  }

  Hit scan(const Place& place) const {
    for (const std::size_t line : {place.first, place.second}) {
      for (std::size_t index = line; index < line + line_words; ++index) {
        const std::uint64_t seen = Atomics::load(words()[index], std::memory_order_relaxed);
        if (word::is_member_of(seen, place.tag)) return {index, seen};
      }
    }
    return {};
  }

  // False: the member is gone from here and must be looked for again.
  template <class Decide>
  bool rewrite(Hit& hit, std::uint64_t tag, Decide& decide) {
    do {
      const std::optional<std::uint64_t> value = decide(std::optional(word::value(hit.word)));
      if (!value) return true;
      if (Atomics::compare_exchange_weak(words()[hit.index], hit.word, word::member(tag, *value),
                                         std::memory_order_relaxed)) {
        return true;
      }
    } while (word::is_member_of(hit.word, tag));
    return false;
  }

  // Puts a new member in place: true when that is done, or when there is no place (done.full). Everything
  // here is sequentially consistent: of two claimants at least one must see the other.
  template <class Rules>
  bool insert(const Place& place, const Rules& rules, std::uint64_t value, bool impatient, Update& done) {
    std::optional<Hit> free = choose(place, rules, done);
    if (!free) return done.full;
    const std::uint64_t mine = word::claim(place.tag, Atomics::claim_id());
    const bool drops = free->word != word::empty && !rules.spent(word::value(free->word));
    const std::uint64_t weight = drops ? rules.weight(word::value(free->word)) : 0;
    if (!exchange(free->index, free->word, mine)) return false;  // step b
    done.evictions += drops ? 1 : 0;
    done.evicted_weight += weight;
    if (!alone(place, free->index, impatient)) {
      exchange(free->index, mine, word::empty);
      return false;
    }
    done.index = free->index;
    return exchange(free->index, mine, word::member(place.tag, value));  // step d; false: my claim was killed
  }

  // Step a: a word to take, in the emptier line; if both are full, the lightest member. nullopt: look again,
  // or full.
  template <class Rules>
  std::optional<Hit> choose(const Place& place, const Rules& rules, Update& done) const {
    std::optional<Hit> best;
    std::optional<Hit> lightest;
    std::size_t best_occupied = line_words;
    std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
    for (const std::size_t line : {place.first, place.second}) {
      std::optional<Hit> free;
      std::size_t occupied = 0;
      for (std::size_t index = line; index < line + line_words; ++index) {
        const std::uint64_t seen = Atomics::load(words()[index], std::memory_order_seq_cst);
        if (word::is_member_of(seen, place.tag))
          return std::nullopt;  // even an idle one: it is the key's own
        if (seen == word::empty || (!word::is_claim(seen) && rules.spent(word::value(seen)))) {
          if (!free) free = Hit{index, seen};
          continue;
        }
        ++occupied;
        if (word::is_claim(seen)) continue;
        if (const std::uint64_t weight = rules.weight(word::value(seen)); weight < least) {
          least = weight;
          lightest = Hit{index, seen};
        }
      }
      if (occupied < best_occupied) {
        best_occupied = occupied;
        best = free;
      }
    }
    if (best) return best;
    if constexpr (!Rules::evicts) done.full = true;
    return Rules::evicts ? lightest : std::nullopt;
  }

  // Step c: whether, after my claim at `index`, no other word of this tag stands in my way. Priority is the
  // lower index.
  bool alone(const Place& place, std::size_t index, bool impatient) {
    const auto [low, high] = place.first < place.second ? std::pair(place.first, place.second)
                                                        : std::pair(place.second, place.first);
    for (std::size_t step = 0; step < 2 * line_words;) {
      const std::size_t at = step < line_words ? low + step : high + step - line_words;
      std::uint64_t seen = Atomics::load(words()[at], std::memory_order_seq_cst);
      if (at == index || word::tag(seen) != place.tag) {
        ++step;
        continue;
      }
      if (!word::is_claim(seen)) return false;
      if (at < index && !impatient) return false;
      // No verdict was ever given from a claim, so killing one harms nobody. One that changed may be a member
      // now.
      step = exchange(at, seen, word::empty) ? step + 1 : 0;
    }
    return true;
  }

  bool exchange(std::size_t index, std::uint64_t expected, std::uint64_t desired) {
    return Atomics::compare_exchange_strong(words()[index], expected, desired, std::memory_order_seq_cst);
  }

  std::size_t lines_;
  Pages pages_;
};

}  // namespace sekisho::ratelimit
