#include "proxy/policy/engine.hpp"

#include "proxy/policy/field_lookup.hpp"

namespace sekisho::policy {

class Engine::Impl {
 public:
  std::shared_ptr<const config::Config> config;
  LimitSet states;
};

std::unique_ptr<Engine> Engine::compile(std::shared_ptr<const config::Config> config, const LimitSet& states,
                                        unsigned, config::Diagnostics& diagnostics) {
  if (diagnostics.has_errors()) return nullptr;
  auto impl = std::make_unique<Impl>();
  impl->config = std::move(config);
  impl->states = states;
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

void Engine::admit(const Request& request, ratelimit::Instant, std::chrono::system_clock::time_point,
                   Admission& out, Trace*) {
  out.reset();
  out.client = request.peer;
  out.authority = header_value(request, "host");
  out.origin_target = request.target;
}

void Engine::finish(Admission& admission, unsigned, ratelimit::Instant) {
  admission.charged.clear();
}

void Engine::refund(Admission& admission, ratelimit::Instant now) {
  for (const Charged& charge : admission.charged) charge.state->limiter->refund(charge.key, charge.at, now);
  admission.charged.clear();
}

bool Engine::trusts(const config::IpAddress&) const {
  return false;
}

}  // namespace sekisho::policy
