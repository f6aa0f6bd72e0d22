// The admin port's rules and answers, apart from its sockets (docs/operations.md, "The admin port").
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sekisho::proxy {

// What the process can tell and do; the control thread implements it.
class AdminBackend {
 public:
  virtual ~AdminBackend() = default;
  struct Outcome {
    bool done = false;
    std::string text;  // what was done, or the problems, one a line
  };
  virtual Outcome reload() = 0;
  virtual std::string metrics() = 0;  // exposition format
  virtual Outcome healthy() = 0;      // every worker turned its loop within 5 s
  virtual Outcome ready() = 0;        // not draining, and an upstream answers
  virtual std::string status() = 0;   // JSON
  virtual std::string bans() = 0;     // JSON
  // Who talks most, the first `n` of each ranking: JSON, or a table for a terminal.
  virtual std::string top(std::size_t n, bool table) = 0;
  virtual std::uint64_t lift(std::string_view client) = 0;  // how many bans ended
};

// One call, as far as the rules look at it.
struct AdminRequest {
  std::string_view method;
  std::string_view target;
  std::string_view host;           // the Host field
  unsigned hosts = 1;              // how many of it there were
  std::string_view authorization;  // the Authorization field
  std::string_view marker;         // the X-Sekisho field
};

struct AdminResponse {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::string allow;           // 405: the Allow field
  bool ask_for_token = false;  // 401: WWW-Authenticate
};

enum class AdminScope : std::uint8_t {
  everything,   // the admin port
  metrics_only  // the `metrics` address: GET /metrics for any Host, nothing else
};

// Judges the call in this order: Host (421), path (404), method (405), token (401) and X-Sekisho (403) of
// calls that change something; then does it.
AdminResponse answer_admin(const AdminRequest& request, AdminScope scope, std::string_view token,
                           AdminBackend& backend);

// "localhost" or an address, with or without a port: what a page of another site cannot make a browser send
// (DNS rebinding).
bool is_local_host(std::string_view host);

}  // namespace sekisho::proxy
