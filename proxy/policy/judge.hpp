// What the limits that matched one request say together, and what that costs: charges, counts, strikes and
// bans.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "proxy/policy/admission.hpp"
#include "proxy/policy/compiled_limit.hpp"
#include "proxy/policy/key_recipe.hpp"
#include "proxy/policy/limit_states.hpp"
#include "ratelimit/charge_all.hpp"

namespace sekisho::policy {

// Belongs to one worker's engine; its scratch is warm after the first request that many limits match.
//
// The verdict: enforced limits are all or nothing (a request that one of them refuses costs nothing at the
// others); a limit in shadow is judged and charged as if it stood alone. The first refusing one in the file's
// order gives name, action and Retry-After. Under the top-level shadow the same is judged, charged and
// banned, and only the refusal left out, and the waiting.
class Judge {
 public:
  // Both outlive the judge.
  Judge(std::span<const CompiledLimit> limits, const LimitSet& states, unsigned worker, bool shadow);

  // True where a ban of this client refuses the request (`out` says whose); the limit must be asked only
  // where it matches, if the ban's scope is that.
  bool banned(const CompiledLimit& limit, const KeySource& source, ratelimit::Instant now, Admission& out);

  // From here on nothing is charged, counted or banned, and the limits' words are those of a charge that was
  // not made.
  void only_look(bool look) { look_ = look; }

  // One request's limits, in the file's order: begin, add each that matches, settle. `source` needs only the
  // client yet: the lines of the keys that are made of that alone are asked for.
  void begin(const KeySource& source);
  void add(std::size_t limit, const KeySource& source);
  void settle(const KeySource& source, ratelimit::Instant now, Admission& out);
  // In place of begin and add where the key of each that matches is known.
  void begin_known();
  void add_known(std::size_t limit, ratelimit::Key key, std::string_view path);

  struct Matched {
    const CompiledLimit* limit = nullptr;
    ratelimit::Key key;
    std::string_view path;       // as this limit read it
    ratelimit::Verdict verdict;  // of its rate
    bool full = false;           // as many of its key are in progress as may be
    bool refuses = false;
  };
  // Those added since begin(), judged by settle().
  std::span<const Matched> matched() const { return matched_; }

 private:
  const ratelimit::Key& key_of(const CompiledLimit& limit, const KeySource& source);
  ratelimit::Key ban_key_of(const CompiledLimit& limit, const KeySource& source) const;
  void look(Matched& matched, ratelimit::Instant now) const;
  static bool is_full(const Matched& matched);
  bool take_place(Matched& matched, Admission& out) const;
  bool take_places(Admission& out);
  void owe(const Matched& matched, Admission& out) const;
  void charge_alone(Matched& matched, ratelimit::Instant now, Admission& out) const;
  bool charge_together(ratelimit::Instant now, Admission& out);
  void charge(ratelimit::Instant now, Admission& out);
  LimitDecision decision_of(const Matched& matched) const;
  void count(const CompiledLimit& limit, LimitDecision decision);
  void note_refused(const CompiledLimit& limit, ratelimit::Key key, ratelimit::Instant now);
  ratelimit::Key refused_key(const Matched& matched, KeySource source) const;
  void strike(const Matched& matched, KeySource source, ratelimit::Instant now, Admission& out);
  void name(const CompiledLimit& limit, Admission& out) const;
  void refuse(const Matched& matched, KeySource source, Admission& out);
  void show_always(Admission& out) const;
  void tell_key(const Matched& matched, const KeySource& source, std::string& out);

  std::span<const CompiledLimit> limits_;
  const LimitSet& states_;
  unsigned worker_;
  bool shadow_;
  bool look_ = false;
  std::vector<Matched> matched_;
  std::vector<std::size_t> early_;         // rates whose key is made of the client alone
  std::vector<std::size_t> early_counts_;  // bounds of those in progress whose key is
  std::vector<std::size_t> early_bans_;    // limits whose ban's key is
  std::vector<ratelimit::Key> ban_keys_;   // of those, by limit, for this request
  bool has_ban_keys_ = false;
  std::vector<ratelimit::Charge> charges_;  // of the enforced rates
  std::vector<std::size_t> charged_;        // their places in matched_
  std::vector<ratelimit::Key> keys_;        // by key slot, for this request
  std::vector<bool> has_key_;
  std::string text_;
  // The last refused key as text: equal keys of one limit have equal texts.
  const CompiledLimit* told_limit_ = nullptr;
  ratelimit::Key told_key_;
  std::string told_text_;
};

}  // namespace sekisho::policy
