// An engine made of YAML, and requests to put before it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/load.hpp"
#include "proxy/policy/engine.hpp"
#include "proxy/policy/trace.hpp"

namespace sekisho::policy {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// Text of a request, kept alive while its views are used.
struct TestRequest {
  std::string method = "GET";
  std::string target = "/";
  std::string host = "www.example.jp";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string peer = "203.0.113.9";

  std::vector<Field> fields() const {
    std::vector<Field> result;
    if (host != "-") result.push_back({"Host", host, FieldId::host});
    for (const auto& [name, value] : headers) {
      FieldId id = FieldId::other;
      if (name == "X-Forwarded-For") id = FieldId::x_forwarded_for;
      if (name == "Cookie") id = FieldId::cookie;
      if (name == "Host") id = FieldId::host;
      result.push_back({name, value, id});
    }
    return result;
  }
};

inline ratelimit::Instant at(ratelimit::Duration since) {
  return ratelimit::Instant(hours(1000)) + since;
}

inline std::shared_ptr<const config::Config> load_config(const std::string& yaml) {
  config::Loaded loaded = config::load_text("upstream: 127.0.0.1:3000\n" + yaml, "test.yaml", ".");
  for (const config::Diagnostic& problem : loaded.diagnostics.all()) {
    if (problem.severity == config::Severity::error)
      ADD_FAILURE() << loaded.diagnostics.format(problem) << "\n" << yaml;
  }
  return loaded.config;
}

inline std::string errors_of(const config::Diagnostics& diagnostics) {
  std::string text;
  for (const config::Diagnostic& problem : diagnostics.all()) {
    if (problem.severity == config::Severity::error) text += problem.message + "\n";
  }
  return text;
}

// One proxy with one worker, whose clock stands until the test moves it.
class Gate {
 public:
  explicit Gate(const std::string& yaml, LimitStates::MemoryLook look = present_memory_bound)
      : states_(ratelimit::Secret{1, 2}, 2, look) {
    const std::string problems = reload(yaml);
    EXPECT_EQ(problems, "");
  }

  ~Gate() { admission.places.clear(); }  // before the counts that they are of
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // The problems, or "".
  std::string reload(const std::string& yaml) {
    config::Diagnostics diagnostics;
    auto config = load_config(yaml);
    if (!config) return "not loaded";
    LimitSet set = states_.prepare(*config, now, diagnostics);
    auto engine = Engine::compile(config, set, 0, diagnostics);
    if (!engine) return errors_of(diagnostics);
    states_.commit(*config, std::move(set), now);
    engine_ = std::move(engine);
    config_ = std::move(config);
    return "";
  }
  // The limits that keep the share they had.
  std::vector<std::string> share_among(std::uint64_t tasks) {
    return states_.share_among(tasks, *config_, now);
  }

  // What view() shows from now on.
  void use(const TestRequest& request) {
    request_ = request;  // the admission's views look at it
    fields_ = request_.fields();
  }
  const Admission& send(const TestRequest& request) {
    use(request);
    engine_->admit(view(), now, {}, admission, nullptr);
    return admission;
  }
  // "proxied", or "limited by NAME", and "(shadow: …)".
  std::string verdict(const TestRequest& request) {
    const Admission& out = send(request);
    std::string text(to_string(out.outcome));
    if (!out.limit_name.empty()) text += " by " + std::string(out.limit_name);
    if (!out.shadow_names.empty()) text += " (shadow: " + out.shadow_names + ")";
    return text;
  }
  std::string get(std::string target, std::string peer = "203.0.113.9") {
    TestRequest request;
    request.target = std::move(target);
    request.peer = std::move(peer);
    return verdict(request);
  }
  // How many of `count` requests pass.
  int passed(const TestRequest& request, int count) {
    int result = 0;
    for (int i = 0; i < count; ++i) result += send(request).outcome == Outcome::proxied ? 1 : 0;
    return result;
  }
  int passed(std::string target, int count, std::string peer = "203.0.113.9") {
    TestRequest request;
    request.target = std::move(target);
    request.peer = std::move(peer);
    return passed(request, count);
  }
  std::string explain(const TestRequest& request) {
    use(request);
    Trace trace;
    engine_->admit(view(), now, {}, admission, &trace);
    return trace.text();
  }
  // "allowed 3, limited 1" of a limit, on the engine's worker.
  std::string counts(std::string_view limit) const {
    constexpr std::string_view names[] = {"allowed", "limited", "delayed", "banned", "blocked", "shadow"};
    std::string text;
    for (const auto& state : states_.current().limits) {
      if (state->name != limit) continue;
      for (std::size_t i = 0; i < limit_decision_count; ++i) {
        const auto count = state->counts[0].decisions[i].load();
        if (count != 0)
          text += (text.empty() ? "" : ", ") + std::string(names[i]) + " " + std::to_string(count);
      }
    }
    return text;
  }
  // The response to the last request sent.
  void finish(unsigned status) { engine_->finish(admission, status, now); }
  // A request and its response.
  std::string respond(unsigned status, std::string target, std::string peer = "203.0.113.9") {
    std::string text = get(std::move(target), std::move(peer));
    finish(status);
    return text;
  }
  // The present engine's finish, for exchanges that outlive its configuration.
  using Finish = std::function<void(Admission&, unsigned, ratelimit::Instant)>;
  Finish take_engine() {
    return
        [engine = std::shared_ptr<Engine>(std::move(engine_))](
            Admission& old, unsigned status, ratelimit::Instant when) { engine->finish(old, status, when); };
  }
  void wait(ratelimit::Duration time) { now += time; }

  Engine& engine() { return *engine_; }
  LimitStates& states() { return states_; }
  const config::Config& config() const { return *config_; }
  Request view() {
    return {request_.method,
            request_.target,
            11,
            fields_,
            *config::IpAddress::parse(request_.peer),
            numbers_requests ? serial_of(request_) : 0};
  }

  ratelimit::Instant now = at({});
  Admission admission;
  bool numbers_requests = true;  // equal ones alike, as the proxy's reader does

 private:
  std::uint64_t serial_of(const TestRequest& request) {
    std::string text = request.method + '\n' + request.target + '\n' + request.host;
    for (const auto& [name, value] : request.headers) text += '\n' + name + '\n' + value;
    return serials_.emplace(std::move(text), serials_.size() + 1).first->second;
  }

  LimitStates states_;
  std::shared_ptr<const config::Config> config_;
  std::unique_ptr<Engine> engine_;
  TestRequest request_;
  std::vector<Field> fields_;
  std::map<std::string, std::uint64_t> serials_;
};

}  // namespace sekisho::policy
