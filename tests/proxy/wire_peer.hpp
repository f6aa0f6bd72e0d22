// The two ends of a wire case: a client's socket and a scripted upstream's, moved along by one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sekisho::test {

// One connection, whichever way it was made. Owns its descriptor.
struct WirePeer {
  explicit WirePeer(int connected) : descriptor(connected) {}
  ~WirePeer();
  WirePeer(const WirePeer&) = delete;
  WirePeer& operator=(const WirePeer&) = delete;

  std::string_view unused() const { return std::string_view(received).substr(used); }
  void shut();  // sends a FIN
  void close();
  void close_hard();  // sends a reset

  int descriptor;
  std::string received;
  std::size_t used = 0;  // bytes of it that a step has asked for
  bool ended = false;    // a FIN or a reset came
  bool reset = false;
};

// Not thread-safe. Every wait has a deadline.
class WireEnds {
 public:
  WireEnds();
  ~WireEnds();
  std::uint16_t upstream_port() const { return upstream_port_; }

  void connect(std::uint16_t proxy_port);
  // `in_pieces`: each byte by its own send. A peer that closed meanwhile takes what it takes.
  void send(WirePeer& peer, std::string_view bytes, bool in_pieces);
  // Reads and accepts until `condition` holds; false when it never did.
  bool wait(const std::function<bool()>& condition);

  std::unique_ptr<WirePeer> client;
  std::vector<std::unique_ptr<WirePeer>> former_clients;
  std::vector<std::unique_ptr<WirePeer>> upstreams;  // in the order of their connects

 private:
  void pump(std::chrono::milliseconds patience);
  int listener_;
  std::uint16_t upstream_port_ = 0;
};

}  // namespace sekisho::test
