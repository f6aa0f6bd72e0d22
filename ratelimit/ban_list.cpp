#include "ratelimit/ban_list.hpp"

namespace sekisho::ratelimit {

unsigned BanList::repetition(Key key, Instant now) const {
  const auto found = entries_.find(key);
  if (found == entries_.end() || now - found->second.until > memory) return 1;
  return found->second.repetition + 1;
}

void BanList::begin(const BanEntry& entry) {
  entries_.emplace(entry.key, entry);
  running_.insert({entry.until, entry.key});
  ++by_limit_[entry.set_by()];
}

void BanList::end(std::set<ByEnd>::iterator place, BanEvent::Kind kind) {
  const BanEntry& entry = entries_.at(place->key);
  events_.add(kind, entry);
  const auto count = by_limit_.find(entry.set_by());
  if (--count->second == 0) by_limit_.erase(count);
  past_.insert(running_.extract(place));
}

void BanList::forget_oldest() {
  entries_.erase(past_.begin()->key);
  past_.erase(past_.begin());
}

bool BanList::add(const BanEntry& entry, Instant now) {
  if (const auto found = entries_.find(entry.key); found != entries_.end()) {
    const ByEnd place{found->second.until, entry.key};
    if (const auto running = running_.find(place); running != running_.end())
      end(running, BanEvent::Kind::over);
    past_.erase(place);
    entries_.erase(found);
  }
  if (entries_.size() >= max_listed && past_.empty() && running_.begin()->until <= now)
    end(running_.begin(), BanEvent::Kind::over);
  if (entries_.size() >= max_listed && !past_.empty()) forget_oldest();
  const bool room = entries_.size() < max_listed;
  if (room) begin(entry);
  events_.add(BanEvent::Kind::set, entry);
  return room;
}

bool BanList::settle(Instant now, std::size_t most) {
  for (std::size_t done = 0; done < most; ++done) {
    if (!running_.empty() && running_.begin()->until <= now) {
      end(running_.begin(), BanEvent::Kind::over);
    } else if (!past_.empty() && now - past_.begin()->until > memory) {
      forget_oldest();
    } else {
      return true;
    }
  }
  return false;
}

bool BanList::lift(Key key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return false;
  const ByEnd place{found->second.until, key};
  const auto running = running_.find(place);
  if (running == running_.end()) return false;
  end(running, BanEvent::Kind::lifted);
  past_.erase(place);
  entries_.erase(found);
  return true;
}

bool BanList::evict(Instant until, const std::function<bool(Key)>& gone) {
  for (auto place = running_.lower_bound({until, {}}); place != running_.end() && place->until == until;
       ++place) {
    if (!gone(place->key)) continue;
    end(place, BanEvent::Kind::evicted);
    return true;
  }
  return false;
}

std::uint64_t BanList::running(const BanningLimit& limit) const {
  const auto found = by_limit_.find(limit);
  return found == by_limit_.end() ? 0 : found->second;
}

std::uint64_t BanList::running(std::string_view limit) const {
  std::uint64_t sum = 0;
  for (auto at = by_limit_.lower_bound({std::string(limit), 0});
       at != by_limit_.end() && at->first.name == limit; ++at) {
    sum += at->second;
  }
  return sum;
}

bool BanList::read(ByEnd& place, std::size_t most, const std::function<void(const BanEntry&)>& visit) const {
  auto next = running_.upper_bound(place);
  for (std::size_t shown = 0; shown < most && next != running_.end(); ++shown, ++next) {
    visit(entries_.at(next->key));
    place = *next;
  }
  return next != running_.end();
}

}  // namespace sekisho::ratelimit
