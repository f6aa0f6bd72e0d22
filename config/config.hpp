// The configuration file as values. Every default of docs/configuration.md stands here and nowhere else.
//
// Shapes, numbers, durations, sizes, environment and `file:` lists are settled by config::load; text whose
// grammar belongs to the policy (path patterns, host patterns, networks, catalogue names, header expressions)
// stays text with its place, and policy::compile adds its problems to the same Diagnostics.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "config/mark.hpp"

namespace sekisho::config {

using Duration = std::chrono::nanoseconds;
using Text = Located<std::string>;
using Texts = std::vector<Text>;

// Servers that one upstream may name.
inline constexpr std::size_t most_servers = 64;

inline constexpr std::uint64_t KiB = 1024;
inline constexpr std::uint64_t MiB = 1024 * KiB;
inline constexpr std::uint64_t GiB = 1024 * MiB;

// host:port, NAME:port or unix:PATH, already parsed.
struct Endpoint {
  enum class Kind : std::uint8_t { ip, name, unix_path };
  Kind kind = Kind::ip;
  std::string host;  // the address or name without brackets; the path for unix_path
  std::uint16_t port = 0;
  std::string text;  // as written, for messages and labels
  Mark mark;
};

// Files, relative to the configuration's.
struct CertificatePair {
  Text certificate;
  Text private_key;
};

struct Listener {
  Endpoint address;
  std::vector<CertificatePair> tls;  // empty: plain
  bool proxy_protocol = false;
  Mark mark;
};

struct UpstreamTls {
  bool enabled = false;
  bool verify = true;
  Text ca;           // a file, relative to the configuration's; empty: the system's store
  Text server_name;  // empty: as the server is named
  Mark mark;
};

struct Queue {
  std::uint64_t size = 1024;
  Duration timeout = std::chrono::seconds(5);
};

struct HealthCheck {
  bool connect = true;  // false: by HTTP, with what follows
  std::string path;
  Duration interval = std::chrono::seconds(5);
  Duration timeout = std::chrono::seconds(2);
  std::uint64_t unhealthy_after = 3;
  std::uint64_t healthy_after = 2;
};

struct Buffers {
  std::uint64_t request = 64 * KiB;
  std::uint64_t response = 32 * MiB;
  std::uint64_t total = 128 * MiB;
};

struct Upstream {
  std::vector<Endpoint> servers;
  std::string balance = "least_requests";
  UpstreamTls tls;
  Duration connect_timeout = std::chrono::seconds(2);
  Duration response_timeout = std::chrono::seconds(60);
  Duration tunnel_timeout = std::chrono::hours(1);
  Duration idle_timeout = std::chrono::seconds(15);
  std::uint64_t max_connections = 512;
  std::uint64_t max_in_flight = 0;
  Queue queue;
  std::uint64_t retries = 1;
  HealthCheck health_check;
  Buffers buffer;
  Mark mark;
  Mark idle_timeout_mark, max_in_flight_mark;  // nowhere when defaulted
};

struct AwsIpRanges {
  Text path;
  std::string service = "CLOUDFRONT_ORIGIN_FACING";
};

struct ClientIp {
  Texts trusted_proxies{{"loopback", {}}, {"private", {}}};  // CIDRs and set names
  std::vector<AwsIpRanges> aws_ip_ranges;
  Text header{"X-Forwarded-For", {}};
  unsigned prefix_ipv4 = 32, prefix_ipv6 = 64;
  unsigned network_ipv4 = 24, network_ipv6 = 48;
  Mark mark;
};

// What a refused client gets.
struct Action {
  enum class Kind : std::uint8_t { status, close, tarpit };
  Kind kind = Kind::status;
  unsigned status = 429;
  std::optional<std::string> body;  // `file:` already read
  std::string content_type;         // empty: text/plain; charset=utf-8
  Duration tarpit{};
  Mark mark;
};

struct Hosts {
  Texts allow;
  bool reject_ip_literals = true;
  Action action{Action::Kind::status, 421, std::nullopt, {}, {}, {}};
  Mark mark;
};

struct BalancerProbe {
  Text path{"/healthz", {}};
  bool require_upstream = true;
};

struct HeaderMatch {
  Text name;
  Texts values;
};

// All clauses hold, within a clause any. A Match with no clause at all matches everything.
struct Match {
  std::optional<Texts> paths, methods, hosts, networks;  // nullopt: the clause was not written
  std::vector<HeaderMatch> headers;
  std::vector<Match> except;
  Mark mark;
};

struct Rate {
  std::uint64_t count = 0;
  Duration period{};
};

struct Ban {
  std::uint64_t after = 1;
  Duration within = std::chrono::minutes(1);
  Duration length{};              // `for`
  std::optional<Duration> up_to;  // absent: no growth
  bool scope_match = false;       // false: every request of the client
  Mark mark;
};

struct OnStatus {
  Texts codes;  // "404" or "4xx"
  bool distinct_path = false;
};

enum class RateLimitHeaders : std::uint8_t { refused, always, never };

struct Limit {
  Text name;
  Match match;                   // no clause: every request
  Texts key{{"client_ip", {}}};  // parts as written; {"global"} alone: one bucket for all
  std::optional<Located<Rate>> rate;
  std::optional<Located<std::uint64_t>> burst;  // absent: rate.count
  Duration delay{};
  Mark delay_mark;  // nowhere when defaulted
  bool block = false;
  std::uint64_t in_flight = 0;
  OnStatus on_status;
  std::optional<Action> action;  // absent: 429, or 403 for block
  std::optional<Ban> ban;
  bool shadow = false;
  RateLimitHeaders ratelimit_headers = RateLimitHeaders::refused;
  std::optional<Located<std::uint64_t>> capacity;
  bool per_task = false;
  Mark per_mark;  // nowhere when defaulted
  Mark mark;
};

struct Fleet {
  std::uint64_t tasks = 1;
  std::string dns_name;  // not empty: dns:NAME
};

struct Client {
  Duration idle_timeout = std::chrono::seconds(75);
  Duration header_timeout = std::chrono::seconds(10);
  Duration body_timeout = std::chrono::seconds(30);
  std::uint64_t min_body_rate = 240;
  Duration send_timeout = std::chrono::seconds(30);
  std::uint64_t max_header_bytes = 80 * KiB;
  std::uint64_t max_headers = 100;
  std::uint64_t max_body_bytes = 100 * MiB;
  std::uint64_t max_connections = 65536;
  Mark idle_timeout_mark, max_header_bytes_mark, max_connections_mark;
};

// What the file does not say of a route is as at the top already.
struct Route {
  Match match;
  Upstream upstream;
  bool own_servers =
      false;  // false: the servers, and with them the pool, permits and queue, are the top level's
  Client client;
  Mark mark;
};

struct ErrorPage {
  unsigned status = 502;
  std::string body;
  std::string content_type;
  Mark mark;
};

struct Admin {
  std::optional<Endpoint> listen =
      Endpoint{Endpoint::Kind::ip, "127.0.0.1", 9180, "127.0.0.1:9180", {}};  // nullopt: off
  std::string token;                                                          // empty: none
  Mark mark;
};

struct Log {
  std::string access = "stdout";  // a path, stdout, stderr or off
  bool query = true;
  Texts headers;
  std::map<std::string, double> sample;
  std::string level = "info";
};

struct Shutdown {
  Duration grace = std::chrono::seconds(5);
  Duration drain = std::chrono::seconds(25);
  Mark drain_mark;
};

struct Config {
  std::vector<Listener> listen{
      {Endpoint{Endpoint::Kind::ip, "0.0.0.0", 8080, "0.0.0.0:8080", {}}, {}, false, {}}};
  unsigned workers = 0;  // 0: auto
  Mark workers_mark;
  bool shadow = false;
  std::optional<Upstream> upstream;  // load() refuses a file with neither this nor routes
  std::vector<Route> routes;
  ClientIp client_ip;
  Hosts hosts;
  BalancerProbe balancer_probe;
  std::vector<Limit> limits;
  std::vector<Match> exempt;
  Fleet fleet;
  Located<std::uint64_t> table_capacity{262144, {}};
  Client client;
  std::vector<ErrorPage> error_pages;
  Admin admin;
  std::optional<Endpoint> metrics;  // nullopt: off
  Log log;
  Shutdown shutdown;

  // buffer.total bounds the process: the top-level upstream says it, or else the last route's.
  std::uint64_t buffer_total() const {
    if (upstream) return upstream->buffer.total;
    return routes.empty() ? Buffers{}.total : routes.back().upstream.buffer.total;
  }
};

}  // namespace sekisho::config
