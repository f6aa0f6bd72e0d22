#include "proxy/policy/judge.hpp"

#include <algorithm>
#include <utility>

namespace sekisho::policy {

Judge::Judge(std::span<const CompiledLimit> limits, const LimitSet& states, unsigned worker, bool shadow)
    : limits_(limits), states_(states), worker_(worker), shadow_(shadow) {
  std::size_t slots = 0;
  for (const CompiledLimit& limit : limits_) slots = std::max(slots, limit.key_slot + 1);
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

void Judge::name(const CompiledLimit& limit, Admission& out) const {
  if (!out.shadow_names.empty()) out.shadow_names += ',';
  out.shadow_names += limit.source->name.value;
}

bool Judge::banned(const CompiledLimit& limit, const KeySource& source, ratelimit::Instant now,
                   Admission& out) {
  if (!limit.banned) return false;
  const ratelimit::Key key = limit.banned->key(source, states_.hasher, limit.state->salt);
  const std::optional<ratelimit::Duration> left = states_.bans->banned_for(key, now);
  if (!left) return false;
  if (shadow_) {
    count(limit, LimitDecision::shadow);
    name(limit, out);
    return true;
  }
  count(limit, LimitDecision::banned);
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

void Judge::begin() {
  matched_.clear();
  std::fill(has_key_.begin(), has_key_.end(), false);
}

void Judge::add(std::size_t index, const KeySource& source) {
  const CompiledLimit& limit = limits_[index];
  Matched matched{&limit, {}, source.path, {}, false};
  if (limit.rated()) {
    // The limits that one request matches may have read its path differently.
    const bool shared = !limit.key.has(KeyPartKind::path);
    if (!shared || !has_key_[limit.key_slot]) {
      keys_[limit.key_slot] = limit.key.key(source, states_.hasher);
      has_key_[limit.key_slot] = shared;
    }
    matched.key = keys_[limit.key_slot];
    limit.state->limiter->prefetch(matched.key);
  }
  matched_.push_back(matched);
}

bool Judge::refused_by_block() const {
  for (const Matched& matched : matched_) {
    if (matched.limit->source->block && matched.limit->enforced()) return true;
  }
  return false;
}

// Fills in every decision, and charges what must be charged.
void Judge::charge(ratelimit::Instant now, Admission& out) {
  const bool blocked = refused_by_block();
  charges_.clear();
  charged_.clear();
  for (std::size_t i = 0; i < matched_.size(); ++i) {
    Matched& matched = matched_[i];
    ratelimit::Limiter* limiter = matched.limit->state->limiter.get();
    if (matched.limit->source->block) {
      matched.refuses = true;
    } else if (limiter == nullptr) {
      continue;
    } else if (look_ || (blocked && matched.limit->enforced())) {
      matched.decision = limiter->peek(matched.key, now);
    } else if (!matched.limit->enforced()) {
      matched.decision = limiter->charge(matched.key, now);
      if (matched.decision.admitted) out.charged.push_back({matched.limit->state.get(), matched.key, now});
    } else {
      charges_.push_back({limiter, matched.key, {}});
      charged_.push_back(i);
    }
  }
  const bool admitted = ratelimit::charge_all(charges_, now);
  for (std::size_t i = 0; i < charges_.size(); ++i) {
    Matched& matched = matched_[charged_[i]];
    matched.decision = charges_[i].decision;
    if (admitted) out.charged.push_back({matched.limit->state.get(), matched.key, now});
  }
  for (Matched& matched : matched_) matched.refuses = matched.refuses || !matched.decision.admitted;
}

// The refusal that fills the bucket of strikes sets the ban. A bucket still full from before an earlier,
// shorter ban counts as filled again.
void Judge::strike(const Matched& matched, KeySource source, ratelimit::Instant now, Admission& out) {
  const CompiledLimit& limit = *matched.limit;
  if (!limit.banned || look_) return;
  source.path = matched.path;
  if (limit.state->strikes) {
    const ratelimit::Key key = limit.banned->key(source, states_.hasher);
    const ratelimit::Decision strike = limit.state->strikes->charge(key, now);
    if (strike.admitted && strike.remaining > 0) return;
  }
  text_.clear();
  limit.banned->append_text(source, states_.hasher, text_);
  const ratelimit::Key key = limit.banned->key(source, states_.hasher, limit.state->salt);
  std::optional<ratelimit::BanEntry> set =
      states_.bans->ban(key, limit.source->name.value, text_, limit.terms, now);
  if (!set) return;
  out.ban_set = std::max(out.ban_set, set->length);
  states_.events->push(
      {BanEvent::Kind::ban, std::move(set->limit), std::move(set->client), set->length, set->repetition});
}

void Judge::refuse(const Matched& matched, KeySource source, Admission& out) const {
  const CompiledLimit& limit = *matched.limit;
  source.path = matched.path;
  out.outcome = limit.source->block ? Outcome::blocked : Outcome::limited;
  out.action = &limit.action;
  out.limit = static_cast<int>(limit.index);
  out.limit_name = limit.source->name.value;
  limit.key.append_text(source, states_.hasher, out.key);
  if (limit.source->block) return;
  out.decision = matched.decision;
  out.show_retry_after = true;
  out.show_ratelimit = limit.source->ratelimit_headers != config::RateLimitHeaders::never;
  out.policy_name = out.limit_name;
  out.policy_quota = matched.decision.burst;
  out.policy_window = limit.policy_window;
}

// On an admitted request: of the limits that always tell, the one that would refuse soonest.
void Judge::show_always(Admission& out) const {
  for (const Matched& matched : matched_) {
    const CompiledLimit& limit = *matched.limit;
    if (limit.source->ratelimit_headers != config::RateLimitHeaders::always || !limit.rated() ||
        !limit.enforced())
      continue;
    if (out.show_ratelimit && matched.decision.remaining >= out.decision.remaining) continue;
    out.show_ratelimit = true;
    out.decision = matched.decision;
    out.policy_name = limit.source->name.value;
    out.policy_quota = matched.decision.burst;
    out.policy_window = limit.policy_window;
  }
}

void Judge::settle(const KeySource& source, ratelimit::Instant now, Admission& out) {
  charge(now, out);
  const Matched* first = nullptr;
  for (const Matched& matched : matched_) {
    const CompiledLimit& limit = *matched.limit;
    if (!matched.refuses) {
      count(limit, LimitDecision::allowed);
      continue;
    }
    const bool refused = limit.enforced() && !shadow_;
    count(limit, !refused              ? LimitDecision::shadow
                 : limit.source->block ? LimitDecision::blocked
                                       : LimitDecision::limited);
    if (!refused) name(limit, out);
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
