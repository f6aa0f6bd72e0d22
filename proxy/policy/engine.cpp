#include "proxy/policy/engine.hpp"

#include <utility>

#include "proxy/policy/admission_trace.hpp"
#include "proxy/policy/client_address.hpp"
#include "proxy/policy/compiled_limit.hpp"
#include "proxy/policy/field_lookup.hpp"
#include "proxy/policy/host_guard.hpp"
#include "proxy/policy/judge.hpp"
#include "proxy/policy/path_readings.hpp"
#include "proxy/policy/request_target.hpp"

namespace sekisho::policy {
namespace {

// Balancers speak from the host itself or from its own network.
NetworkSet neighbours(config::Diagnostics& diagnostics) {
  const config::Texts names{{"loopback", {}}, {"private", {}}};
  return NetworkSet::compile(names, {}, diagnostics);
}

std::vector<Match> compile_all(const std::vector<config::Match>& matches, config::Diagnostics& diagnostics) {
  std::vector<Match> result;
  result.reserve(matches.size());
  for (const config::Match& match : matches) result.push_back(Match::compile(match, diagnostics));
  return result;
}

std::vector<Match> compile_routes(const config::Config& config, config::Diagnostics& diagnostics) {
  std::vector<Match> result;
  result.reserve(config.routes.size());
  for (const config::Route& route : config.routes) result.push_back(Match::compile(route.match, diagnostics));
  return result;
}

config::Texts names_of_routes(const config::Config& config) {
  config::Texts names;
  for (const config::Route& route : config.routes) {
    if (route.match.hosts) names.insert(names.end(), route.match.hosts->begin(), route.match.hosts->end());
  }
  return names;
}

// Path and query as the upstream gets them (RFC 9112, section 3.2.1): absolute-form may have left the path
// out.
void set_origin_target(const Request& request, const RequestTarget& target, Admission& out) {
  out.origin_target = target.origin;
  if (!target.absolute || target.origin.starts_with('/')) return;
  out.target_store = target.origin.empty() && request.method == "OPTIONS" ? "*" : "/";
  out.target_store += target.origin;
  out.origin_target = out.target_store;
}

// By the clocks and quotas of now, however long the exchange took.
void charge_late(Admission& admission, unsigned status, ratelimit::Instant now) {
  for (const ChargedLate& late : admission.charged_late) {
    const CompiledLimit& limit = *late.limit;
    // A limit in shadow may be owed something for a request that another refused: that has no response to go
    // by.
    if (admission.outcome != Outcome::proxied) break;
    if (status >= limit.statuses.size() || !limit.statuses[status]) continue;
    const auto& paths = limit.state->paths;
    if (paths && !paths->charge(late.path_key, now).admitted) continue;
    limit.state->limiter->overdraw(late.key, now);
  }
  admission.charged_late.clear();
}

}  // namespace

class Engine::Impl {
 public:
  Impl(std::shared_ptr<const config::Config> config, const LimitSet& states, unsigned worker,
       config::Diagnostics& diagnostics)
      : config_(std::move(config)),
        states_(states),
        client_address_(ClientAddress::compile(config_->client_ip, diagnostics)),
        neighbours_(neighbours(diagnostics)),
        hosts_(HostGuard::compile(config_->hosts, names_of_routes(*config_), diagnostics)),
        routes_(compile_routes(*config_, diagnostics)),
        exempt_(compile_all(config_->exempt, diagnostics)),
        limits_(compile_limits(*config_, states_, diagnostics)),
        judge_(limits_, states_, worker, config_->shadow) {
    for (const CompiledLimit& limit : limits_) names_host_ = names_host_ || limit.key.has(KeyPartKind::host);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void admit(const Request& request, ratelimit::Instant now, Admission& out, AdmissionTrace* trace);
  const config::Config& config() const { return *config_; }
  bool trusts(const config::IpAddress& peer) const { return client_address_.trusts(peer); }

 private:
  bool is_probe(const Request& request, const RequestTarget& target, bool peer_trusted) const;
  bool judge_host(const Request& request, const RequestTarget& target, Admission& out, std::string_view& host,
                  AdmissionTrace* trace);
  void choose_route(const MatchSource& source, Admission& out, AdmissionTrace* trace) const;
  bool is_exempt(const MatchSource& source, AdmissionTrace* trace) const;
  bool judge_bans(const MatchSource& source, KeySource key, ratelimit::Instant now, Admission& out,
                  AdmissionTrace* trace);
  void judge_limits(const MatchSource& source, KeySource key, ratelimit::Instant now, Admission& out,
                    AdmissionTrace* trace);

  std::shared_ptr<const config::Config> config_;
  LimitSet states_;
  ClientAddress client_address_;
  NetworkSet neighbours_;
  HostGuard hosts_;
  std::vector<Match> routes_;
  std::vector<Match> exempt_;
  std::vector<CompiledLimit> limits_;
  Judge judge_;
  bool names_host_ = false;  // a key does
  PathReadings paths_;
  std::string host_;
};

bool Engine::Impl::is_probe(const Request& request, const RequestTarget& target, bool peer_trusted) const {
  const std::string& path = config_->balancer_probe.path.value;
  if (target.path != path && target.origin != path) return false;
  if (request.method != "GET" && request.method != "HEAD") return false;
  if (!peer_trusted && !neighbours_.contains(request.peer)) return false;
  for (const Field& field : request.fields) {
    if (is_field(field.name, "x-forwarded-for")) return false;
  }
  return true;
}

// False where the request ends here.
bool Engine::Impl::judge_host(const Request& request, const RequestTarget& target, Admission& out,
                              std::string_view& host, AdmissionTrace* trace) {
  const HostJudgement judgement = hosts_.judge(request, target);
  if (trace != nullptr) trace->host(judgement, config_->hosts.action, config_->shadow);
  out.authority = judgement.authority;
  host = judgement.host;
  switch (judgement.verdict) {
    case HostVerdict::ok:
      return true;
    case HostVerdict::bad_request:
      out.outcome = Outcome::bad_request;
      return false;
    case HostVerdict::rejected:
      break;
  }
  if (config_->shadow) {  // passed, and charged nowhere: it would have come no further
    out.shadow_names = "hosts";
    return false;
  }
  out.outcome = Outcome::host_rejected;
  out.action = &config_->hosts.action;
  return false;
}

// The first that matches. A path that can be read in several ways goes by any of them, as a limit does.
void Engine::Impl::choose_route(const MatchSource& source, Admission& out, AdmissionTrace* trace) const {
  for (std::size_t i = 0; i < routes_.size() && out.route < 0; ++i) {
    if (routes_[i].holds(source)) out.route = static_cast<int>(i);
    if (trace != nullptr) trace->route(i, routes_[i], source);
  }
  if (trace != nullptr && out.route < 0) trace->top_route();
}

bool Engine::Impl::is_exempt(const MatchSource& source, AdmissionTrace* trace) const {
  for (const Match& match : exempt_) {
    const bool exempt = match.holds_surely(source);
    if (trace != nullptr) trace->exempt(match, source);
    if (exempt) return true;
  }
  return false;
}

// True where a ban settles the request.
bool Engine::Impl::judge_bans(const MatchSource& source, KeySource key, ratelimit::Instant now,
                              Admission& out, AdmissionTrace* trace) {
  if (!states_.bans->any()) return false;
  for (const CompiledLimit& limit : limits_) {
    if (!limit.banned) continue;
    key.path = source.paths->usual();
    if (limit.source->ban->scope_match && !limit.match.holds(source, &key.path)) continue;
    if (!judge_.banned(limit, key, now, out)) continue;
    if (trace != nullptr) trace->banned(limit, out);
    return true;
  }
  return false;
}

void Engine::Impl::judge_limits(const MatchSource& source, KeySource key, ratelimit::Instant now,
                                Admission& out, AdmissionTrace* trace) {
  for (std::size_t i = 0; i < limits_.size(); ++i) {
    if (limits_[i].match.holds(source, &key.path)) judge_.add(i, key);
  }
  judge_.settle(key, now, out);
  if (trace != nullptr)
    trace->limits(limits_, judge_.matched(), source, key, states_.hasher, config_->shadow);
}

void Engine::Impl::admit(const Request& request, ratelimit::Instant now, Admission& out,
                         AdmissionTrace* trace) {
  out.reset();
  judge_.only_look(trace != nullptr);
  const DerivedClient derived = client_address_.derive(request, trace);
  out.client = derived.address;
  out.peer_trusted = derived.peer_trusted;
  if (trace != nullptr) trace->client(request, derived);
  judge_.begin({&request, out.client, {}, {}});

  const RequestTarget target = read_target(request.target);
  set_origin_target(request, target, out);
  if (is_probe(request, target, derived.peer_trusted)) {
    out.outcome = Outcome::probe;
    if (trace != nullptr) trace->probe();
    return;
  }
  std::string_view host;
  const bool host_admitted = judge_host(request, target, out, host, trace);
  const bool asks_for_path = trace != nullptr || !(limits_.empty() && exempt_.empty() && routes_.empty());
  if (out.outcome != Outcome::proxied || !asks_for_path) {
    out.path = paths_.usual_of(request.target).substr(0, Admission::longest_path);
    return;
  }

  paths_.read(request.target, target);
  out.path = paths_.usual().substr(0, Admission::longest_path);
  if (trace != nullptr) trace->path(paths_);
  const MatchSource source{&request, &paths_, out.client, host};
  choose_route(source, out, trace);
  if (!host_admitted) return;
  if (is_exempt(source, trace)) return;

  if (names_host_) {
    normalise_host(out.authority, host_);
    host = host_;
  }
  const KeySource key{&request, out.client, host, paths_.usual()};
  if (judge_bans(source, key, now, out, trace)) return;
  judge_limits(source, key, now, out, trace);
}

std::unique_ptr<Engine> Engine::compile(std::shared_ptr<const config::Config> config, const LimitSet& states,
                                        unsigned worker, config::Diagnostics& diagnostics) {
  auto impl = std::make_unique<Impl>(std::move(config), states, worker, diagnostics);
  if (diagnostics.has_errors()) return nullptr;
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

void Engine::admit(const Request& request, ratelimit::Instant now, std::chrono::system_clock::time_point,
                   Admission& out, Trace* trace) {
  if (trace == nullptr) {
    impl_->admit(request, now, out, nullptr);
    return;
  }
  AdmissionTrace told(*trace);
  impl_->admit(request, now, out, &told);
  told.outcome(out, impl_->config());
}

void Engine::finish(Admission& admission, unsigned status, ratelimit::Instant now) {
  charge_late(admission, status, now);
  admission.charged.clear();
  admission.places.clear();
}

void Engine::detach(Admission& admission, unsigned status, ratelimit::Instant now) {
  charge_late(admission, status, now);
  admission.charged.clear();
  for (HeldPlace& place : admission.places) place.counts = place.state->in_flight;
}

void Engine::refund(Admission& admission, ratelimit::Instant now) {
  for (const Charged& charge : admission.charged) charge.state->limiter->refund(charge.key, charge.at, now);
  admission.charged.clear();
}

bool Engine::trusts(const config::IpAddress& peer) const {
  return impl_->trusts(peer);
}

}  // namespace sekisho::policy
