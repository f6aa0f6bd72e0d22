// The message heads alone: reading a browser's request through a load balancer, and writing the one that the
// upstream gets.
#include <benchmark/benchmark.h>

#include <string_view>

#include "proxy/head_writer.hpp"
#include "proxy/request_parser.hpp"
#include "proxy/response_parser.hpp"

namespace {

using namespace sekisho::proxy;

constexpr std::string_view request =
    "GET /articles/17?page=2 HTTP/1.1\r\n"
    "X-Forwarded-For: 198.51.100.7\r\n"
    "X-Forwarded-Proto: https\r\n"
    "X-Forwarded-Port: 443\r\n"
    "Host: www.example.jp\r\n"
    "X-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    "Accept-Language: ja,en-US;q=0.7,en;q=0.3\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Referer: https://www.example.jp/articles\r\n"
    "Cookie: _session=0123456789abcdef0123456789abcdef0123456789abcdef; consent=yes\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: max-age=0\r\n\r\n";

constexpr std::string_view response =
    "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nX-Frame-Options: SAMEORIGIN\r\n"
    "X-Content-Type-Options: nosniff\r\nETag: W/\"0123456789abcdef\"\r\nCache-Control: max-age=0, private\r\n"
    "X-Request-Id: 00000000000000000000000000000000\r\nX-Runtime: 0.012345\r\nContent-Length: 1024\r\n\r\n";

sekisho::policy::Admission admission() {
  sekisho::policy::Admission made;
  made.client = *sekisho::config::IpAddress::parse("198.51.100.7");
  made.peer_trusted = true;
  made.authority = "www.example.jp";
  made.origin_target = "/articles/17?page=2";
  return made;
}

void read_request(benchmark::State& state) {
  RequestParser parser;
  RequestHead head;
  for (auto _ : state) {
    parser.reset();
    benchmark::DoNotOptimize(parser.parse(request, head));
  }
  if (head.fields.size() != 15) state.SkipWithError("not the head it should be");
}
BENCHMARK(read_request);

void write_request(benchmark::State& state) {
  RequestParser parser;
  RequestHead head;
  parser.reset();
  parser.parse(request, head);
  const auto admitted = admission();
  Forwarding forwarding;
  forwarding.listener_port = 8080;
  forwarding.request_id = "0123456789abcdef0123456789abcdef";
  forwarding.start_ms = 1'700'000'000'123;
  HeadBuffer out(16 * 1024);
  for (auto _ : state) {
    out.clear();
    write_request_head(out, head, admitted, forwarding);
    benchmark::DoNotOptimize(out.view());
  }
}
BENCHMARK(write_request);

void read_response(benchmark::State& state) {
  ResponseParser parser;
  ResponseHead head;
  for (auto _ : state) {
    parser.reset("GET");
    benchmark::DoNotOptimize(parser.parse(response, head));
  }
}
BENCHMARK(read_response);

void write_response(benchmark::State& state) {
  ResponseParser parser;
  ResponseHead head;
  parser.reset("GET");
  parser.parse(response, head);
  const auto admitted = admission();
  ResponseOptions options;
  options.framing = Framing::length;
  options.content_length = 1024;
  options.date = 1'700'000'000;
  HeadBuffer out(16 * 1024);
  for (auto _ : state) {
    out.clear();
    write_response_head(out, head, admitted, options);
    benchmark::DoNotOptimize(out.view());
  }
}
BENCHMARK(write_response);

void write_refusal(benchmark::State& state) {
  auto refused = admission();
  refused.outcome = sekisho::policy::Outcome::limited;
  refused.limit_name = "per-client";
  refused.show_ratelimit = refused.show_retry_after = true;
  refused.policy_quota = 40;
  refused.policy_window = 4;
  refused.decision.admitted = false;
  refused.decision.retry_after = std::chrono::milliseconds(100);
  LocalAnswer answer;
  answer.status = 429;
  answer.date = 1'700'000'000;
  HeadBuffer out(16 * 1024);
  for (auto _ : state) {
    out.clear();
    write_local_answer(out, answer, &refused);
    benchmark::DoNotOptimize(out.view());
  }
}
BENCHMARK(write_refusal);

}  // namespace

BENCHMARK_MAIN();
