#include "ratelimit/ban_list.hpp"

#include <algorithm>
#include <functional>

namespace sekisho::ratelimit {

void BanList::erase(const ByEnd& place) {
  running_.erase(place);
  reported_.erase(place);
  entries_.erase(place.key);
}

unsigned BanList::repetition(Key key, Instant now) const {
  const auto found = entries_.find(key);
  if (found == entries_.end() || now - found->second.until > memory) return 1;
  return found->second.repetition + 1;
}

void BanList::add(Key key, const BanEntry& entry, Instant now) {
  if (const auto found = entries_.find(key); found != entries_.end()) {
    const ByEnd place{found->second.until, key};
    if (running_.contains(place) && replaced_.size() < Bans::max_listed) replaced_.push_back(found->second);
    erase(place);
  }
  if (entries_.size() >= Bans::max_listed) {
    if (!reported_.empty()) {
      erase(ByEnd(*reported_.begin()));
    } else if (running_.begin()->until <= now) {
      if (replaced_.size() < Bans::max_listed) replaced_.push_back(entries_.at(running_.begin()->key));
      erase(ByEnd(*running_.begin()));
    } else {
      return;
    }
  }
  entries_.emplace(key, entry);
  running_.insert({entry.until, key});
}

std::vector<std::pair<Key, BanEntry>> BanList::take(std::string_view client, Instant now) {
  std::vector<std::pair<Key, BanEntry>> taken;
  for (auto place = running_.upper_bound({now, {~std::uint64_t{0}, ~std::uint64_t{0}}});
       place != running_.end();) {
    const auto found = entries_.find(place->key);
    if (found->second.client != client) {
      ++place;
      continue;
    }
    taken.emplace_back(found->first, std::move(found->second));
    entries_.erase(found);
    place = running_.erase(place);
  }
  return taken;
}

std::vector<BanEntry> BanList::in_force(Instant now, const Holds& holds) const {
  std::vector<BanEntry> entries;
  for (const ByEnd& place : running_) {
    const BanEntry& entry = entries_.at(place.key);
    if (place.until > now && holds(place.key, entry)) entries.push_back(entry);
  }
  std::ranges::stable_sort(entries, std::greater(),
                           [](const BanEntry& entry) { return entry.until - entry.length; });
  return entries;
}

std::uint64_t BanList::count(std::string_view limit, Instant now, const Holds& holds) const {
  return static_cast<std::uint64_t>(std::ranges::count_if(running_, [&](const ByEnd& place) {
    const BanEntry& entry = entries_.at(place.key);
    return place.until > now && entry.limit == limit && holds(place.key, entry);
  }));
}

std::vector<BanEntry> BanList::ended(Instant now) {
  std::vector<BanEntry> ended = std::exchange(replaced_, {});
  while (!running_.empty() && running_.begin()->until <= now) {
    ended.push_back(entries_.at(running_.begin()->key));
    reported_.insert(running_.extract(running_.begin()));
  }
  while (!reported_.empty() && now - reported_.begin()->until > memory) erase(ByEnd(*reported_.begin()));
  return ended;
}

}  // namespace sekisho::ratelimit
