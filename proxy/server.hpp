// The data plane: listeners, workers and their connections. Control drives it; it knows nothing of files,
// signals or the admin port.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proxy/access_log.hpp"
#include "proxy/counters.hpp"
#include "proxy/listener_set.hpp"
#include "proxy/snapshot.hpp"
#include "proxy/talkers.hpp"
#include "ratelimit/instant.hpp"

namespace sekisho::proxy {

// All functions are called from the control thread. Each waits for the workers' next turn, but for none that
// has not turned for a second: what was asked of it happens when it comes back.
class Server {
 public:
  // Binds and listens on every address of `listeners` (throws ListenProblem), starts no thread yet.
  // `access_log` outlives the server.
  Server(const config::Config& config, std::vector<ListenerState> listeners, unsigned workers,
         AccessLog& access_log);
  ~Server();

  // Starts the workers with one snapshot each; connections are accepted from here on.
  void start(std::vector<std::unique_ptr<Snapshot>> snapshots);
  // Binds what `wanted` asks for and is not listened on yet. Throws ListenProblem.
  ListenerChange prepare_listeners(std::vector<ListenerState> wanted);
  // Hands every worker its new snapshot, puts the listeners in force, and returns when all have switched for
  // new requests, or else the numbers of those that have not yet.
  std::vector<unsigned> apply(std::vector<std::unique_ptr<Snapshot>> snapshots, ListenerChange listeners);

  // Steps of a drain. announce_drain (which waits for nobody): still accepting, every response says
  // Connection: close, the probe answers 503. turn_away: no new handshake is answered, those under way
  // complete. stop_accepting: listeners close once their backlog is empty, idle connections close, tunnels
  // close evenly until `deadline`.
  void announce_drain();
  void turn_away();
  void stop_accepting(ratelimit::Instant deadline);
  // Exchanges, tunnels and connections still open over all workers.
  std::uint64_t open_connections() const;
  // Cuts what is left and joins the workers; returns how many exchanges were cut. Where a worker hangs, its
  // thread is left alone and hangs() is true from then on: the process can only end by _Exit.
  std::uint64_t stop();
  bool hangs() const;

  unsigned workers() const;
  Counters& counters(unsigned worker) const;
  // Copies of what the workers know of who talks most, by worker; nullptr for one that hangs. Theirs are
  // untouched.
  std::vector<std::shared_ptr<Talkers>> talkers() const;
  // When the worker last turned its loop; its tick sees to it at least every 100 ms.
  ratelimit::Instant last_turn(unsigned worker) const;
  // Addresses in fact bound ("0.0.0.0:8080"): with port 0 in the file, the port that the kernel gave.
  std::vector<std::string> bound_addresses() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sekisho::proxy
