// What a client and an upstream say to each other through the proxy while something goes wrong.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sekisho::test {

struct ScriptedRequest {
  std::string head;
  std::string sent_body;         // as the client sends it, framing included
  std::string body;              // decoded
  bool awaits_continue = false;  // sends its body once a 100 has come
  bool idempotent = true;
  bool held = true;  // the proxy keeps the body for a second try
  // What the client gets where nothing goes wrong.
  unsigned status = 200;
  std::string answer;  // the upstream's body, decoded; of an answer of ours nothing is asked
};

// What the upstream says to a target.
struct ScriptedAnswer {
  std::string bytes{};
  bool early = false;           // as soon as the head is there
  bool closes = false;          // with a FIN behind it
  bool dies_if_reused = false;  // closes without a word where its connection has served before
};

// The two directions of an upgraded connection. The client closes its side when it has all of
// `from_upstream`; the upstream says farewell to that and closes the other.
struct ScriptedTunnel {
  std::string from_client{}, from_upstream{}, farewell{};
};

struct FaultExchange {
  std::string name{};
  std::vector<ScriptedRequest> requests{};
  std::map<std::string, ScriptedAnswer> answers{};  // by target
  std::string upstream_yaml{};                      // further keys of `upstream`
  std::size_t clients = 1;                          // each plays all of it
  unsigned max_in_flight = 2, max_connections = 4;
  std::vector<std::uint16_t> servers{1};
  std::vector<std::uint16_t> refusing{};  // of the servers
  bool pipelined = false;                 // all requests at once
  std::size_t pipe = 16 << 10;            // bytes that each direction of a connection has room for
  std::size_t client_takes = 1 << 20;     // bytes a turn
  ScriptedTunnel tunnel{};
  bool ends_by_fin = false;  // an upstream's response whose end is a FIN: one that came early cannot be told
  bool races = false;        // what the proxy sees first decides what it answers
  bool small = true;         // few operations: all pairs of faults are tried

  std::string yaml() const;
};

std::vector<FaultExchange> all_fault_exchanges();

}  // namespace sekisho::test
