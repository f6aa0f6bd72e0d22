#include "proxy/policy/admission_trace.hpp"

#include <fmt/format.h>

namespace sekisho::policy {
namespace {

std::string_view hop_text(HopVerdict verdict) {
  switch (verdict) {
    case HopVerdict::trusted:
      return "a trusted proxy";
    case HopVerdict::client:
      return "not trusted: the client";
    case HopVerdict::no_address:
      return "no address: the walk ends at the hop before";
  }
  return "";
}

std::string limit_step(const CompiledLimit& limit) {
  return "limit " + limit.source->name.value;
}

std::string refusal_text(const CompiledLimit& limit, bool shadow) {
  if (shadow || !limit.enforced()) return "would be refused, but for shadow";
  return "refuses: " + action_text(limit.action);
}

std::string ban_text(const CompiledLimit& limit) {
  const config::Ban& ban = *limit.source->ban;
  const std::string whom = ban.scope_match ? "what it matches of this client" : "this client";
  if (ban.after == 1) return fmt::format("then bans {} for {}", whom, duration_text(ban.length));
  return fmt::format("a strike; {} of them within {} ban {} for {}", ban.after, duration_text(ban.within),
                     whom, duration_text(ban.length));
}

std::string servers_of(int route, const config::Config& config) {
  const config::Upstream& upstream =
      route < 0 ? *config.upstream : config.routes[static_cast<std::size_t>(route)].upstream;
  std::string text;
  for (const config::Endpoint& server : upstream.servers) text += (text.empty() ? "" : ", ") + server.text;
  return text;
}

}  // namespace

std::string action_text(const config::Action& action) {
  switch (action.kind) {
    case config::Action::Kind::status:
      return fmt::format("answered {}", action.status);
    case config::Action::Kind::close:
      return "closed without an answer";
    case config::Action::Kind::tarpit:
      return fmt::format("held for {}", duration_text(action.tarpit));
  }
  return "";
}

std::string duration_text(ratelimit::Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  const auto seconds = ms / 1000;
  if (seconds < 60) return fmt::format("{}s", static_cast<double>(ms) / 1000);
  std::string text;
  const auto add = [&text](auto count, std::string_view unit) {
    if (count != 0) text += fmt::format("{}{}{}", text.empty() ? "" : " ", count, unit);
  };
  add(seconds / 86400, "d");
  add(seconds / 3600 % 24, "h");
  add(seconds / 60 % 60, "min");
  add(seconds % 60, "s");
  return text;
}

void AdmissionTrace::hop(std::string_view header, std::string_view entry,
                         std::optional<config::IpAddress> address, HopVerdict verdict) {
  const std::string from = header.empty() ? std::string("peer") : escaped(header);
  const std::string what = header.empty() && address ? address->to_string() : escaped(entry);
  hops_.push_back(fmt::format("{} {}: {}", from, what, hop_text(verdict)));
}

void AdmissionTrace::client(const Request& request, const DerivedClient& derived) {
  trace_.step("request", fmt::format("{} {}", escaped(request.method), escaped(request.target)));
  trace_.step("client", derived.address.to_string());
  for (std::string& hop : hops_) trace_.detail(std::move(hop));
}

void AdmissionTrace::probe() {
  trace_.step("probe", "the balancer's probe: answered ahead of every check");
}

void AdmissionTrace::host(const HostJudgement& judgement, const config::Action& action, bool shadow) {
  const std::string name = judgement.authority.empty() ? std::string("(none)") : escaped(judgement.authority);
  switch (judgement.verdict) {
    case HostVerdict::ok:
      trace_.step("host", name + ": admitted");
      return;
    case HostVerdict::bad_request:
      trace_.step("host",
                  fmt::format("{}: bad request ({}): answered 400 and closed", name, judgement.reason));
      return;
    case HostVerdict::rejected:
      trace_.step("host", fmt::format("{}: rejected ({}): {}", name, judgement.reason,
                                      shadow ? "passed on, but for shadow it would be " + action_text(action)
                                             : action_text(action)));
      return;
  }
}

void AdmissionTrace::route(std::size_t index, const Match& match, const MatchSource& source) {
  trace_.step(fmt::format("route {}", index + 1), match.explain(source, false));
}

void AdmissionTrace::top_route() {
  trace_.step("route", "the top-level upstream");
}

void AdmissionTrace::path(const PathReadings& readings) {
  trace_.step("path", escaped(readings.usual()));
  for (const std::string_view reading : readings.all().subspan(1)) {
    trace_.detail(fmt::format("or {}", escaped(reading)));
  }
  if (readings.incomplete())
    trace_.detail("and more: too many ways to read it, so it counts as whatever a limit asks for");
}

void AdmissionTrace::exempt(const Match& match, const MatchSource& source) {
  trace_.step("exempt", match.explain(source, true));
}

void AdmissionTrace::banned(const CompiledLimit& limit, const Admission& admission) {
  trace_.step(limit_step(limit),
              fmt::format("its ban holds for {} more", duration_text(admission.decision.retry_after)));
  trace_.detail("key " + escaped(admission.key));
}

void AdmissionTrace::rate(const CompiledLimit& limit, const ratelimit::Decision& decision) {
  std::string text = fmt::format("{} of {} left", decision.remaining, decision.burst);
  if (!decision.admitted) {
    text += ", one more in " + duration_text(decision.retry_after);
  } else if (decision.wait > ratelimit::Duration::zero()) {
    text += ": its turn comes in " + duration_text(decision.wait);
  } else {
    text += limit.late() ? " if the response has one of on_status" : " after this request";
  }
  trace_.detail(text);
}

void AdmissionTrace::judged(const Judge::Matched& matched, KeySource key, const ratelimit::KeyHasher& hasher,
                            bool shadow) {
  const CompiledLimit& limit = *matched.limit;
  key.path = matched.path;
  std::string text;
  limit.key.append_text(key, hasher, text);
  trace_.detail("key " + escaped(text));
  if (limit.rated()) rate(limit, matched.verdict);
  if (limit.counted()) {
    trace_.detail(fmt::format("{} of {} in progress{}", limit.state->in_flight->count(matched.key),
                              limit.source->in_flight, matched.full ? ": as many as may be" : ""));
  }
  if (!matched.refuses) return;
  trace_.detail(refusal_text(limit, shadow));
  if (limit.banned) trace_.detail(ban_text(limit));
}

void AdmissionTrace::limits(std::span<const CompiledLimit> limits, std::span<const Judge::Matched> matched,
                            const MatchSource& source, const KeySource& key,
                            const ratelimit::KeyHasher& hasher, bool shadow) {
  for (const CompiledLimit& limit : limits) {
    trace_.step(limit_step(limit),
                limit.match.explain(source, false) + (limit.source->shadow ? "; in shadow" : ""));
    for (const Judge::Matched& one : matched) {
      if (one.limit == &limit) judged(one, key, hasher, shadow);
    }
  }
}

void AdmissionTrace::outcome(const Admission& admission, const config::Config& config) {
  std::string text(to_string(admission.outcome));
  switch (admission.outcome) {
    case Outcome::proxied:
      text = "passed to the upstream " + servers_of(admission.route, config);
      break;
    case Outcome::probe:
      text = "answered as the balancer's probe";
      break;
    case Outcome::bad_request:
      text = "answered 400 and closed";
      break;
    default:
      if (admission.action != nullptr) text += ", " + action_text(*admission.action);
      if (!admission.limit_name.empty()) text += fmt::format(", by limit {}", admission.limit_name);
      if (admission.show_retry_after) text += ", Retry-After " + duration_text(admission.retry_after());
  }
  trace_.step("outcome", text);
  if (!admission.shadow_names.empty()) trace_.detail("in shadow, refused by " + admission.shadow_names);
  if (config.shadow)
    trace_.detail("shadow: true stands at the top of the file: nothing is refused but bad framing");
}

}  // namespace sekisho::policy
