#include "proxy/policy/engine.hpp"

#include <utility>

#include "proxy/policy/admission_trace.hpp"
#include "proxy/policy/client_address.hpp"
#include "proxy/policy/compiled_limit.hpp"
#include "proxy/policy/field_lookup.hpp"
#include "proxy/policy/host_guard.hpp"
#include "proxy/policy/judge.hpp"
#include "proxy/policy/known_requests.hpp"
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
  template <class InScope>
  bool judge_bans(KeySource key, ratelimit::Instant now, Admission& out, AdmissionTrace* trace,
                  InScope in_scope);
  void admit_known(const Request& request, const KnownRequest& known, ratelimit::Instant now, Admission& out);
  void write_down(const Request& request, const Admission& out);
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
  KnownRequests known_;
};

bool Engine::Impl::is_probe(const Request& request, const RequestTarget& target, bool peer_trusted) const {
  const std::string& path = config_->balancer_probe.path.value;
  if (target.path != path && target.origin != path) return false;
  if (request.method != "GET" && request.method != "HEAD") return false;
  if (!peer_trusted && !neighbours_.contains(request.peer)) return false;
  for (const Field& field : request.fields) {
    if (is_field(field, FieldId::x_forwarded_for, "x-forwarded-for")) return false;
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

// True where a ban settles the request. `in_scope` tells whether a limit matches, and as which path.
template <class InScope>
bool Engine::Impl::judge_bans(KeySource key, ratelimit::Instant now, Admission& out, AdmissionTrace* trace,
                              InScope in_scope) {
  if (!states_.bans->any()) return false;
  const std::string_view usual = key.path;
  for (std::size_t i = 0; i < limits_.size(); ++i) {
    const CompiledLimit& limit = limits_[i];
    if (!limit.banned) continue;
    key.path = usual;
    if (limit.source->ban->scope_match && !in_scope(i, key.path)) continue;
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

// admit, of what is known already.
void Engine::Impl::admit_known(const Request& request, const KnownRequest& known, ratelimit::Instant now,
                               Admission& out) {
  out.client = known.client;
  out.peer_trusted = known.peer_trusted;
  out.authority = request.fields[known.host_field].value;
  out.origin_target = request.target;
  out.path = known.path;
  out.route = known.route;
  judge_.begin_known();
  for (const KnownRequest::Limit& limit : known.limits) judge_.add_known(limit.index, limit.key, known.path);
  if (names_host_) normalise_host(out.authority, host_);
  const KeySource key{&request, out.client, host_, known.path};
  const auto matches = [&known](std::size_t limit, std::string_view&) {
    return std::ranges::find(known.limits, limit, &KnownRequest::Limit::index) != known.limits.end();
  };
  if (!judge_bans(key, now, out, nullptr, matches)) judge_.settle(key, now, out);
}

// What admit has found out, for the next time.
void Engine::Impl::write_down(const Request& request, const Admission& out) {
  if (out.origin_target.data() != request.target.data() || out.path.size() != paths_.usual().size()) return;
  const auto host = std::ranges::find(request.fields, out.authority.data(),
                                      [](const Field& field) { return field.value.data(); });
  if (host == request.fields.end() || host->value != out.authority) return;
  KnownRequest& known = known_.place(request);
  known.serial = 0;
  known.limits.clear();
  for (const Judge::Matched& matched : judge_.matched()) {
    if (matched.path.data() != paths_.usual().data() || matched.path.size() != out.path.size()) return;
    known.limits.push_back({static_cast<std::size_t>(matched.limit - limits_.data()), matched.key});
  }
  known.peer = request.peer;
  known.client = out.client;
  known.peer_trusted = out.peer_trusted;
  known.host_field = static_cast<std::size_t>(host - request.fields.begin());
  known.route = out.route;
  known.path = out.path;
  known.serial = request.serial;
}

void Engine::Impl::admit(const Request& request, ratelimit::Instant now, Admission& out,
                         AdmissionTrace* trace) {
  out.reset();
  judge_.only_look(trace != nullptr);
  if (trace == nullptr) {
    if (const KnownRequest* known = known_.find(request)) {
      admit_known(request, *known, now, out);
      return;
    }
  }
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
  const auto holds = [&](std::size_t limit, std::string_view& path) {
    return limits_[limit].match.holds(source, &path);
  };
  if (judge_bans(key, now, out, trace, holds)) return;
  judge_limits(source, key, now, out, trace);
  if (request.serial != 0 && trace == nullptr) write_down(request, out);
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
