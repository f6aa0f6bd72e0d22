// What admit costs with the three limits of the README's first page and a browser's head of 15 fields.
#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "config/load.hpp"
#include "proxy/policy/engine.hpp"

namespace {

using namespace std::chrono_literals;
using namespace sekisho;

constexpr const char* yaml = R"(
upstream: 127.0.0.1:3000
hosts: [www.example.jp]
client_ip: {trusted_proxies: [loopback, private, cloudfront]}
limits:
  - {name: probes, match: {paths: builtin:probes}, block: true, ban: 10min}
  - {name: sign-in, match: {paths: [/users/sign_in], methods: [POST]}, rate: 5/min}
  - {name: per-client, match: {except: {paths: ["/assets/**"]}}, rate: 10/s, burst: 40}
)";

// A request that came through CloudFront and a load balancer; the client is the middle of X-Forwarded-For.
struct Head {
  explicit Head(std::string_view path) : target(path) {}

  policy::Request request() const { return {"GET", target, 11, fields, config::IpAddress::v4(0x0a000001)}; }

  std::string_view target;
  std::string forwarded = "198.51.100.1, 203.0.113.9, 10.0.0.7";
  std::array<policy::Field, 15> fields{{
      {"Host", "www.example.jp", policy::FieldId::host},
      {"X-Forwarded-For", forwarded, policy::FieldId::x_forwarded_for},
      {"X-Forwarded-Proto", "https", policy::FieldId::x_forwarded_proto},
      {"X-Forwarded-Port", "443", policy::FieldId::x_forwarded_port},
      {"X-Amzn-Trace-Id", "Root=1-67891233-abcdef012345678912345678", policy::FieldId::x_amzn_trace_id},
      {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
       policy::FieldId::user_agent},
      {"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", policy::FieldId::accept},
      {"Accept-Language", "ja,en-US;q=0.7,en;q=0.3"},
      {"Accept-Encoding", "gzip, deflate, br"},
      {"Referer", "https://www.example.jp/", policy::FieldId::referer},
      {"Cookie", "_app_session=0123456789abcdef0123456789abcdef0123456789abcdef", policy::FieldId::cookie},
      {"Upgrade-Insecure-Requests", "1"},
      {"Sec-Fetch-Dest", "document"},
      {"Sec-Fetch-Mode", "navigate"},
      {"Cache-Control", "max-age=0"},
  }};
};

constexpr ratelimit::Instant start{1000h};

struct Gate {
  explicit Gate(const char* text) : loaded(config::load_text(text, "bench", ".")), states({1, 2}, 1) {
    config::Diagnostics problems;
    if (loaded.config) {
      set = states.prepare(*loaded.config, start, problems);
      engine = policy::Engine::compile(loaded.config, set, 0, problems);
    }
    if (!engine) {
      std::fputs("admit_bench: the configuration is refused\n", stderr);
      std::exit(1);
    }
  }

  config::Loaded loaded;
  policy::LimitStates states;
  policy::LimitSet set;
  std::unique_ptr<policy::Engine> engine;
};

void run(benchmark::State& state, Gate& gate, const Head& head, ratelimit::Duration step,
         policy::Outcome expected) {
  policy::Admission admission;
  ratelimit::Instant now = start;
  const policy::Request request = head.request();
  for (int i = 0; i < 1000; ++i) gate.engine->admit(request, now += step, {}, admission);
  for (auto _ : state) {
    gate.engine->admit(request, now += step, {}, admission);
    gate.engine->finish(admission, 200, now);
  }
  if (admission.outcome != expected) state.SkipWithError("another outcome than the benchmark is of");
}

void admitted(benchmark::State& state) {
  Gate gate(yaml);
  run(state, gate, Head("/articles/2026/11?page=2"), 1s, policy::Outcome::proxied);
}

void refused(benchmark::State& state) {
  Gate gate(yaml);
  run(state, gate, Head("/articles/2026/11?page=2"), 1us, policy::Outcome::limited);
}

void banned(benchmark::State& state) {
  Gate gate(yaml);
  run(state, gate, Head("/phpmyadmin/index.php"), 1ns, policy::Outcome::banned);
}

void blocked_probe(benchmark::State& state) {
  std::string text = yaml;
  text.replace(text.find(", ban: 10min"), 12, "");
  Gate gate(text.c_str());
  run(state, gate, Head("/phpmyadmin/index.php"), 1s, policy::Outcome::blocked);
}

// 400,000 clients in turn: each decision meets a cold line of the table.
void of_many_clients(benchmark::State& state) {
  Gate gate(yaml);
  policy::Admission admission;
  Head head("/articles/2026/11?page=2");
  policy::Request request = head.request();
  // A peer that is no trusted proxy is the client itself.
  std::uint32_t client = 0;
  for (auto _ : state) {
    request.peer = config::IpAddress::v4(0xc6120000 + client);
    client = client == 400'000 ? 0 : client + 1;
    gate.engine->admit(request, start, {}, admission);
  }
}

BENCHMARK(admitted);
BENCHMARK(refused);
BENCHMARK(banned);
BENCHMARK(blocked_probe);
BENCHMARK(of_many_clients);

}  // namespace

BENCHMARK_MAIN();
