#include "bench/floor/relay.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "bench/floor/socket.hpp"
#include "bench/floor/wire.hpp"

namespace sekisho::bench::floor {
namespace {

constexpr std::size_t kPiece = 128 * 1024;

// A client's connection, or one to the upstream.
struct Side {
  int socket;
  bool upstream;
  bool in_head = true;  // what comes next is a head
  bool close = false;   // after this exchange
  bool gone = false;    // closed; deleted when the events in hand are done with
  std::uint32_t events = EPOLLIN;
  Side* other = nullptr;   // whom the exchange in progress is with
  std::uint64_t left = 0;  // of the message that comes in, behind its head
  std::string in;          // came too early, or is half a head
  std::string out;         // not yet taken by the peer
};

class Relay {
 public:
  Relay(std::string_view listen, std::string_view upstream)
      : upstream_(upstream), listener_(listen_on(listen)) {
    epoll_.add(listener_, nullptr);
  }

  [[noreturn]] void run() {
    for (;;) {
      for (const epoll_event& event : epoll_.wait()) {
        if (event.data.ptr == nullptr) {
          accept_all();
          continue;
        }
        Side& side = *static_cast<Side*>(event.data.ptr);
        if (side.gone) continue;
        if (!side.out.empty()) {
          drain(side);
        } else {
          receive(side);
        }
      }
      for (Side* side : gone_) delete side;
      gone_.clear();
    }
  }

 private:
  Side* adopt(int socket, bool upstream) {
    auto* side = new Side{.socket = socket, .upstream = upstream, .in = {}, .out = {}};
    epoll_.add(socket, side);
    return side;
  }

  void accept_all() {
    for (int socket; (socket = accept_from(listener_)) >= 0;) adopt(socket, false);
  }

  void receive(Side& side) {
    const auto got = receive_some(side.socket, piece_);
    if (got < 0) return end(side);
    if (got == 0) return;
    take(side, {piece_.data(), static_cast<std::size_t>(got)});
  }

  void take(Side& side, std::string_view bytes) {
    std::string kept;
    if (!side.in.empty()) {
      kept = std::move(side.in);
      side.in.clear();
      kept += bytes;
      bytes = kept;
    }
    if (side.upstream) {
      if (side.other == nullptr) return end(side);  // nobody asked
      take_response(side, bytes);
    } else if (side.in_head && side.other == nullptr) {
      take_request(side, bytes);
    } else if (side.left > 0) {
      const auto size = std::min<std::uint64_t>(side.left, bytes.size());
      side.left -= size;
      side.in = bytes.substr(size);
      pass(side, bytes.substr(0, size));
    } else {
      side.in = bytes;  // the next request of a client that does not wait
    }
  }

  void take_request(Side& client, std::string_view bytes) {
    const Head head = read_head(bytes);
    if (head.size == 0) {
      client.in = bytes;
      return;
    }
    const auto size = std::min<std::uint64_t>(head.size + head.content_length, bytes.size());
    client.left = head.size + head.content_length - size;
    client.close = head.close;
    client.in_head = false;
    client.in = bytes.substr(size);
    client.other = acquire();
    client.other->other = &client;
    if (!head.close) return pass(client, bytes.substr(0, size));
    // The client's connection ends with this exchange, the upstream's goes on.
    std::string kept_alive(bytes.substr(0, size));
    kept_alive.replace(head.close_at, 5, "alive");
    pass(client, kept_alive);
  }

  void take_response(Side& upstream, std::string_view bytes) {
    if (upstream.in_head) {
      const Head head = read_head(bytes);
      if (head.size == 0) {
        upstream.in = bytes;
        return;
      }
      upstream.in_head = false;
      upstream.close = head.close;
      upstream.left = head.size + head.content_length;
    }
    upstream.left -= std::min<std::uint64_t>(upstream.left, bytes.size());
    Side& client = *upstream.other;
    const bool done = upstream.left == 0 && client.left == 0;
    if (!done) return pass(upstream, bytes);
    client.other = upstream.other = nullptr;
    client.in_head = upstream.in_head = true;
    if (upstream.close) {
      end(upstream);
    } else {
      idle_.push_back(&upstream);
    }
    if (!put(client, bytes)) return end(client);
    if (client.close && client.out.empty()) return end(client);
    if (!client.in.empty()) take(client, {});
  }

  Side* acquire() {
    while (!idle_.empty()) {
      Side* side = idle_.back();
      idle_.pop_back();
      if (!side->gone) return side;
    }
    return adopt(connect_to(upstream_), true);
  }

  // Sends to the other side of the exchange, and takes no more from this one while the other does not read.
  void pass(Side& from, std::string_view bytes) {
    Side& to = *from.other;
    if (!put(to, bytes)) return end(from);
    if (!to.out.empty()) watch(from, 0);
  }

  bool put(Side& to, std::string_view bytes) {
    std::size_t sent = 0;
    if (to.out.empty()) {
      const auto taken = send_some(to.socket, bytes);
      if (taken < 0) return false;
      sent = static_cast<std::size_t>(taken);
    }
    if (sent < bytes.size()) {
      to.out += bytes.substr(sent);
      watch(to, EPOLLOUT);
    }
    return true;
  }

  void drain(Side& side) {
    const auto sent = send_some(side.socket, side.out);
    if (sent < 0) return end(side);
    side.out.erase(0, static_cast<std::size_t>(sent));
    if (!side.out.empty()) return;
    std::string().swap(side.out);
    if (side.other == nullptr && side.close) return end(side);
    watch(side, EPOLLIN);
    if (side.other != nullptr && side.other->out.empty()) watch(*side.other, EPOLLIN);
  }

  void watch(Side& side, std::uint32_t events) {
    if (side.events == events) return;
    side.events = events;
    epoll_.change(side.socket, &side, events);
  }

  // With whom an exchange was in progress goes too.
  void end(Side& side) {
    if (side.gone) return;
    side.gone = true;
    close(side.socket);
    std::erase(idle_, &side);
    gone_.push_back(&side);
    if (side.other != nullptr) end(*side.other);
  }

  std::string upstream_;
  int listener_;
  Epoll epoll_;
  std::vector<Side*> idle_;
  std::vector<Side*> gone_;
  std::array<char, kPiece> piece_;
};

}  // namespace

void relay(std::string_view listen, std::string_view upstream) {
  std::make_unique<Relay>(listen, upstream)->run();
}

}  // namespace sekisho::bench::floor
