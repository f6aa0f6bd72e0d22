// What a run is to do: the command line and the scenario file as values. Every default of docs/load.md stands
// here.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/load/population.hpp"
#include "config/config.hpp"

namespace sekisho::load {

using Duration = std::chrono::nanoseconds;

// One kind of client: `connections` of them, alike.
struct ClientClass {
  std::string name = "main";
  std::uint64_t connections = 32;
  std::uint64_t threads = 0;  // 0: as many as the run says

  double rate = 0;  // requests a second over the whole class; 0: a closed loop
  Duration think{};
  bool think_random = false;  // pauses are exponentially distributed about `think`
  Duration start{};           // when the class begins, from the run's beginning

  std::uint64_t pipeline = 1;   // requests written together
  std::uint64_t keepalive = 0;  // requests a connection; 0: no bound
  std::uint64_t requests = 0;   // stop after so many; 0: no bound

  std::string method = "GET";
  std::vector<std::string> paths;    // in turn; empty: /
  std::vector<std::string> headers;  // "Name: value"
  std::string host;                  // empty: the target as written
  std::uint64_t body = 0;
  bool chunked = false;

  std::uint64_t read_rate = 0;  // bytes a second; 0: as fast as they come
  std::uint64_t send_rate = 0;
  Duration timeout = std::chrono::seconds(10);  // without a byte in either direction

  std::optional<Population> clients;  // absent: no X-Forwarded-For
};

struct Plan {
  std::optional<config::Endpoint> target;
  Duration duration = std::chrono::seconds(10);  // measured, after the warm-up
  Duration warmup = std::chrono::seconds(1);
  std::uint64_t threads = 1;  // a class
  std::uint64_t seed = 1;
  // Whether somebody said so, and it is not the default.
  bool duration_given = false, warmup_given = false, threads_given = false, seed_given = false;
  std::vector<ClientClass> classes;

  std::string json;  // a path, "-" for standard output, or empty
  bool quiet = false;
};

}  // namespace sekisho::load
