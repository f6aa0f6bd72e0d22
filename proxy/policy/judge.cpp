#include "proxy/policy/judge.hpp"

#include <algorithm>
#include <utility>

namespace sekisho::policy {
namespace {

constexpr std::uint64_t path_salt = 0x646973742d706174;

}  // namespace

Judge::Judge(std::span<const CompiledLimit> limits, const LimitSet& states, unsigned worker, bool shadow)
    : limits_(limits), states_(states), worker_(worker), shadow_(shadow) {
  std::size_t slots = 0;
  for (const CompiledLimit& limit : limits_) slots = std::max(slots, limit.key_slot + 1);
  for (std::size_t i = 0; i < limits_.size(); ++i) {
    if (limits_[i].rated() && limits_[i].key.client_only()) early_.push_back(i);
    if (limits_[i].counted() && limits_[i].key.client_only()) early_counts_.push_back(i);
    if (limits_[i].banned && limits_[i].banned->client_only()) early_bans_.push_back(i);
  }
  ban_keys_.resize(limits_.size());
  keys_.resize(slots);
  has_key_.resize(slots);
  matched_.reserve(limits_.size());
  charges_.reserve(limits_.size());
  charged_.reserve(limits_.size());
}

void Judge::count(const CompiledLimit& limit, LimitDecision decision) {
  if (look_) return;
  // One writer: no locked instruction.
  std::atomic<std::uint64_t>& count =
      limit.state->counts[worker_].decisions[static_cast<std::size_t>(decision)];
  count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void Judge::note_refused(const CompiledLimit& limit, ratelimit::Key key, ratelimit::Instant now) {
  if (!look_) limit.state->counts[worker_].refused.add(key, now);
}

ratelimit::Key Judge::refused_key(const Matched& matched, KeySource source) const {
  if (matched.limit->rated() || matched.limit->counted()) return matched.key;
  source.path = matched.path;
  return matched.limit->key.key(source, states_.hasher);
}

void Judge::name(const CompiledLimit& limit, Admission& out) const {
  if (!out.shadow_names.empty()) out.shadow_names += ',';
  out.shadow_names += limit.source->name.value;
}

bool Judge::banned(const CompiledLimit& limit, const KeySource& source, ratelimit::Instant now,
                   Admission& out) {
  if (!limit.banned) return false;
  const bool had = has_ban_keys_ && limit.banned->client_only();
  const ratelimit::Key key =
      had ? ban_keys_[static_cast<std::size_t>(&limit - limits_.data())] : ban_key_of(limit, source);
  const std::optional<ratelimit::Duration> left = states_.bans->banned_for(key, now);
  if (!left) return false;
  if (shadow_) {
    count(limit, LimitDecision::shadow);
    name(limit, out);
    return true;
  }
  count(limit, LimitDecision::banned);
  // Without salt: where the limit counts by the client alone, the one that it refused before the ban.
  note_refused(limit, limit.banned->key(source, states_.hasher), now);
  out.outcome = Outcome::banned;
  out.action = &limit.action;
  out.limit = static_cast<int>(limit.index);
  out.limit_name = limit.source->name.value;
  limit.banned->append_text(source, states_.hasher, out.key);
  out.decision = {};
  out.decision.admitted = false;
  out.decision.retry_after = *left;
  out.show_retry_after = true;
  return true;
}

void Judge::begin(const KeySource& source) {
  matched_.clear();
  std::fill(has_key_.begin(), has_key_.end(), false);
  for (const std::size_t index : early_)
    limits_[index].state->limiter->prefetch(key_of(limits_[index], source));
  for (const std::size_t index : early_counts_)
    limits_[index].state->in_flight->prefetch(key_of(limits_[index], source));
  has_ban_keys_ = states_.bans->any();
  if (!has_ban_keys_) return;
  for (const std::size_t index : early_bans_) {
    ban_keys_[index] = ban_key_of(limits_[index], source);
    states_.bans->prefetch(ban_keys_[index]);
  }
}

// Each limit's bans are its own.
ratelimit::Key Judge::ban_key_of(const CompiledLimit& limit, const KeySource& source) const {
  return limit.banned->key(source, states_.hasher, limit.state->salt);
}

// The limits that one request matches may have read its path differently; what else keys are made of is the
// same for all.
const ratelimit::Key& Judge::key_of(const CompiledLimit& limit, const KeySource& source) {
  ratelimit::Key& key = keys_[limit.key_slot];
  const bool shared = !limit.key.has(KeyPartKind::path);
  if (!shared || !has_key_[limit.key_slot]) {
    key = limit.key.key(source, states_.hasher);
    has_key_[limit.key_slot] = shared;
  }
  return key;
}

void Judge::add(std::size_t index, const KeySource& source) {
  const CompiledLimit& limit = limits_[index];
  const bool keyed = limit.rated() || limit.counted();
  add_known(index, keyed ? key_of(limit, source) : ratelimit::Key{}, source.path);
}

void Judge::begin_known() {
  matched_.clear();
  has_ban_keys_ = false;
}

void Judge::add_known(std::size_t index, ratelimit::Key key, std::string_view path) {
  const CompiledLimit& limit = limits_[index];
  Matched& matched = matched_.emplace_back();
  matched.limit = &limit;
  matched.path = path;
  matched.key = key;
  if (limit.rated()) limit.state->limiter->prefetch(matched.key);
  if (limit.counted()) limit.state->in_flight->prefetch(matched.key);
}

// What the limit alone says, with nothing stored.
void Judge::look(Matched& matched, ratelimit::Instant now) const {
  const CompiledLimit& limit = *matched.limit;
  if (limit.rated()) matched.verdict = limit.state->limiter->peek(matched.key, now);
  matched.full = is_full(matched);
}

bool Judge::is_full(const Matched& matched) {
  const CompiledLimit& limit = *matched.limit;
  return limit.counted() && limit.state->in_flight->count(matched.key) >= limit.source->in_flight;
}

bool Judge::take_place(Matched& matched, Admission& out) const {
  const CompiledLimit& limit = *matched.limit;
  auto lease = limit.state->in_flight->acquire(matched.key, limit.source->in_flight);
  matched.full = !lease;
  if (lease) out.places.push_back({limit.state.get(), nullptr, *std::move(lease)});
  return lease.has_value();
}

// From now on the request owes this limit something, should its response have one of the codes.
void Judge::owe(const Matched& matched, Admission& out) const {
  ChargedLate late{matched.limit, matched.key, {}};
  if (matched.limit->state->paths) {
    const ratelimit::Key path = states_.hasher(path_salt, matched.path);
    const std::uint64_t words[] = {matched.key.high, matched.key.low, path.high, path.low};
    late.path_key = states_.hasher(path_salt, {reinterpret_cast<const char*>(words), sizeof words});
  }
  out.charged_late.push_back(late);
}

// In shadow: as if it were the only one.
void Judge::charge_alone(Matched& matched, ratelimit::Instant now, Admission& out) const {
  const CompiledLimit& limit = *matched.limit;
  look(matched, now);
  if (look_ || !matched.verdict.admitted || matched.full) return;
  if (limit.counted() && !take_place(matched, out)) return;
  if (limit.late()) {
    owe(matched, out);
  } else if (limit.rated()) {
    matched.verdict = limit.state->limiter->charge(matched.key, now);
    if (matched.verdict.admitted) {
      out.charged.push_back({limit.state.get(), matched.key, now});
    } else if (limit.counted()) {
      out.places.pop_back();
    }
  }
}

// Places and charges of the enforced limits: all, or none. Looks first, so that a refusal stores nothing.
bool Judge::charge_together(ratelimit::Instant now, Admission& out) {
  bool admitted = true, counted = false;
  charges_.clear();
  charged_.clear();
  for (std::size_t i = 0; i < matched_.size(); ++i) {
    Matched& matched = matched_[i];
    const CompiledLimit& limit = *matched.limit;
    if (!limit.enforced()) continue;
    if (limit.rated() && !limit.late() && !look_) {
      charges_.push_back({limit.state->limiter.get(), matched.key, {}});
      charged_.push_back(i);
      matched.full = is_full(matched);
    } else {
      look(matched, now);
    }
    counted = counted || limit.counted();
    admitted = admitted && !limit.source->block && matched.verdict.admitted && !matched.full;
  }
  if (look_) return false;
  const std::size_t places = out.places.size();
  if (!admitted) {
    ratelimit::peek_all(charges_, now);
  } else if (!counted) {
    admitted = ratelimit::charge_all(charges_, now);
  } else {
    admitted =
        ratelimit::peek_all(charges_, now) && take_places(out) && ratelimit::charge_peeked(charges_, now);
    if (!admitted) out.places.resize(places);
  }
  for (std::size_t i = 0; i < charges_.size(); ++i) matched_[charged_[i]].verdict = charges_[i].decision;
  return admitted;
}

bool Judge::take_places(Admission& out) {
  return std::ranges::all_of(matched_, [&](Matched& matched) {
    const CompiledLimit& limit = *matched.limit;
    return !limit.enforced() || !limit.counted() || take_place(matched, out);
  });
}

// Fills in every verdict, and charges what must be charged.
void Judge::charge(ratelimit::Instant now, Admission& out) {
  const bool admitted = charge_together(now, out);
  for (Matched& matched : matched_) {
    const CompiledLimit& limit = *matched.limit;
    if (!limit.enforced()) {
      charge_alone(matched, now, out);
    } else if (admitted && limit.late()) {
      owe(matched, out);
    } else if (admitted && limit.rated()) {
      out.charged.push_back({limit.state.get(), matched.key, now});
    }
    matched.refuses = limit.source->block || !matched.verdict.admitted || matched.full;
    if (admitted && limit.enforced() && !shadow_ && matched.verdict.waits())
      out.delay = std::max(out.delay, ratelimit::Decision(matched.verdict).wait);
  }
}

// The refusal that fills the bucket of strikes sets the ban. A bucket still full from before an earlier,
// shorter ban counts as filled again.
void Judge::strike(const Matched& matched, KeySource source, ratelimit::Instant now, Admission& out) {
  const CompiledLimit& limit = *matched.limit;
  if (!limit.banned || look_) return;
  source.path = matched.path;
  // Of strikes and ban: who lifts a ban by its key can forgive the strikes.
  const ratelimit::Key key = ban_key_of(limit, source);
  if (limit.state->strikes) {
    const ratelimit::Verdict strike = limit.state->strikes->charge(key, now);
    if (strike.admitted && strike.remaining > 0) return;
  }
  text_.clear();
  limit.banned->append_text(source, states_.hasher, text_);
  const auto set = states_.bans->ban(key, limit.source->name.value, text_, limit.terms, now);
  if (set) out.ban_set = std::max(out.ban_set, set->length);
}

void Judge::tell_key(const Matched& matched, const KeySource& source, std::string& out) {
  const CompiledLimit& limit = *matched.limit;
  const bool keyed = limit.rated() || limit.counted();
  if (!keyed || told_limit_ != &limit || told_key_ != matched.key) {
    told_text_.clear();
    limit.key.append_text(source, states_.hasher, told_text_);
    told_limit_ = keyed ? &limit : nullptr;
    told_key_ = matched.key;
  }
  out = told_text_;
}

void Judge::refuse(const Matched& matched, KeySource source, Admission& out) {
  const CompiledLimit& limit = *matched.limit;
  source.path = matched.path;
  out.outcome = limit.source->block ? Outcome::blocked : Outcome::limited;
  out.action = &limit.action;
  out.limit = static_cast<int>(limit.index);
  out.limit_name = limit.source->name.value;
  tell_key(matched, source, out.key);
  out.decision.admitted = false;
  if (matched.verdict.admitted) return;  // a block, or too many in progress: nobody knows until when
  out.decision = matched.verdict;
  out.show_retry_after = true;
  out.show_ratelimit = limit.source->ratelimit_headers != config::RateLimitHeaders::never;
  out.policy_name = out.limit_name;
  out.policy_quota = out.decision.burst;
  out.policy_window = limit.policy_window();
}

// On an admitted request: of the limits that always tell, the one that would refuse soonest.
void Judge::show_always(Admission& out) const {
  const CompiledLimit* soonest = nullptr;
  ratelimit::Verdict least;
  for (const Matched& matched : matched_) {
    const CompiledLimit& limit = *matched.limit;
    if (limit.source->ratelimit_headers != config::RateLimitHeaders::always || !limit.rated() ||
        !limit.enforced())
      continue;
    const ratelimit::Verdict verdict = limit.late() ? matched.verdict.uncharged() : matched.verdict;
    if (soonest != nullptr && verdict.remaining >= least.remaining) continue;
    soonest = &limit;
    least = verdict;
  }
  if (soonest == nullptr) return;
  out.show_ratelimit = true;
  out.decision = least;
  out.policy_name = soonest->source->name.value;
  out.policy_quota = out.decision.burst;
  out.policy_window = soonest->policy_window();
}

LimitDecision Judge::decision_of(const Matched& matched) const {
  const CompiledLimit& limit = *matched.limit;
  if (!matched.refuses) return matched.verdict.waits() ? LimitDecision::delayed : LimitDecision::allowed;
  if (!limit.enforced() || shadow_) return LimitDecision::shadow;
  return limit.source->block ? LimitDecision::blocked : LimitDecision::limited;
}

void Judge::settle(const KeySource& source, ratelimit::Instant now, Admission& out) {
  charge(now, out);
  const Matched* first = nullptr;
  for (const Matched& matched : matched_) {
    const CompiledLimit& limit = *matched.limit;
    const LimitDecision decision = decision_of(matched);
    count(limit, decision);
    if (!matched.refuses) continue;
    const bool refused = decision != LimitDecision::shadow;
    if (!refused) name(limit, out);
    if (refused) note_refused(limit, refused_key(matched, source), now);
    if (refused && first == nullptr) first = &matched;
    strike(matched, source, now, out);
  }
  if (first != nullptr) {
    refuse(*first, source, out);
  } else if (!shadow_) {
    show_always(out);
  }
}

}  // namespace sekisho::policy
