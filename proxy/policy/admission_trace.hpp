// Puts the steps of an admission into words, for `explain`.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proxy/policy/client_address.hpp"
#include "proxy/policy/compiled_limit.hpp"
#include "proxy/policy/host_guard.hpp"
#include "proxy/policy/judge.hpp"
#include "proxy/policy/match.hpp"
#include "proxy/policy/path_readings.hpp"
#include "proxy/policy/trace.hpp"

namespace sekisho::policy {

// Called by the engine in the order of admit's steps. Cold: allocates freely.
class AdmissionTrace final : public HopObserver {
 public:
  explicit AdmissionTrace(Trace& trace) : trace_(trace) {}

  void hop(std::string_view header, std::string_view entry, std::optional<config::IpAddress> address,
           HopVerdict verdict) override;
  void client(const Request& request, const DerivedClient& derived);
  void probe();
  void host(const HostJudgement& judgement, const config::Action& action, bool shadow);
  void path(const PathReadings& readings);
  void route(std::size_t index, const Match& match, const MatchSource& source);
  void top_route();
  void exempt(const Match& match, const MatchSource& source);
  void banned(const CompiledLimit& limit, const Admission& admission);
  void limits(std::span<const CompiledLimit> limits, std::span<const Judge::Matched> matched,
              const MatchSource& source, const KeySource& key, const ratelimit::KeyHasher& hasher,
              bool shadow);
  void outcome(const Admission& admission, const config::Config& config);

 private:
  void rate(const CompiledLimit& limit, const ratelimit::Decision& decision);
  void judged(const Judge::Matched& matched, KeySource key, const ratelimit::KeyHasher& hasher, bool shadow);

  Trace& trace_;
  std::vector<std::string> hops_;
};

// "answered 429", "closed without an answer"
std::string action_text(const config::Action& action);
// "1.5s", "90s" as "1min 30s"
std::string duration_text(ratelimit::Duration duration);

}  // namespace sekisho::policy
