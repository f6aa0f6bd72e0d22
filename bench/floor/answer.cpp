#include "bench/floor/answer.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "bench/floor/socket.hpp"
#include "bench/floor/wire.hpp"

namespace sekisho::bench::floor {
namespace {

constexpr std::size_t kPiece = 128 * 1024;

struct Connection {
  int socket;
  std::string in;               // requests not yet answered
  std::string out;              // of an answer, not yet taken
  std::uint64_t drop = 0;       // of a request's body, still to come
  std::uint64_t body_left = 0;  // of a large answer, after `out`
  bool asks_close = false;      // the request whose body is dropped now
  bool close = false;           // once all is sent
  bool waits = false;           // for the peer to read
};

class Answerer {
 public:
  Answerer(std::string_view listen, int status)
      : status_line_("HTTP/1.1 " + std::to_string(status) + (status == 200 ? " OK" : " Too Many Requests") +
                     "\r\nContent-Type: text/plain\r\nContent-Length: "),
        filler_(kPiece, 'x'),
        listener_(listen_on(listen)) {
    epoll_.add(listener_, nullptr);
  }

  [[noreturn]] void run() {
    for (;;) {
      for (const epoll_event& event : epoll_.wait()) {
        if (event.data.ptr == nullptr) {
          accept_all();
          continue;
        }
        auto* connection = static_cast<Connection*>(event.data.ptr);
        if (!turn(*connection)) {
          close(connection->socket);
          delete connection;
        }
      }
    }
  }

 private:
  void accept_all() {
    for (int socket; (socket = accept_from(listener_)) >= 0;) {
      epoll_.add(socket, new Connection{.socket = socket, .in = {}, .out = {}});
    }
  }

  // False where the connection is over.
  bool turn(Connection& connection) {
    if (connection.waits) {
      if (!flush(connection)) return false;
      if (connection.waits) return true;
      return take(connection, {});
    }
    const auto got = receive_some(connection.socket, piece_);
    if (got <= 0) return got == 0;
    return take(connection, {piece_.data(), static_cast<std::size_t>(got)});
  }

  bool take(Connection& connection, std::string_view bytes) {
    std::string kept;
    if (!connection.in.empty()) {
      kept = std::move(connection.in);
      kept += bytes;
      bytes = kept;
      connection.in.clear();
    }
    while (!bytes.empty() && connection.body_left == 0 && !connection.close) {
      const auto dropped = std::min<std::uint64_t>(connection.drop, bytes.size());
      connection.drop -= dropped;
      bytes.remove_prefix(dropped);
      if (dropped > 0 && connection.drop == 0) respond(connection, connection.asks_close, 0);
      if (bytes.empty()) break;
      const Head head = read_head(bytes);
      if (head.size == 0) break;
      const std::uint64_t size = bytes_asked_for(bytes.substr(0, head.size));
      bytes.remove_prefix(head.size);
      if (head.content_length > 0) {  // answered when the body is there, as an application would
        connection.drop = head.content_length;
        connection.asks_close = head.close;
        continue;
      }
      respond(connection, head.close, size);
    }
    if (!bytes.empty()) connection.in = bytes;
    return flush(connection);
  }

  void respond(Connection& connection, bool close_after, std::uint64_t size) {
    connection.out += status_line_;
    connection.out += std::to_string(size);
    connection.out += close_after ? "\r\nConnection: close\r\n\r\n" : "\r\n\r\n";
    const auto together = std::min<std::uint64_t>(size, 16 * 1024);
    connection.out.append(filler_, 0, together);
    connection.body_left = size - together;
    connection.close = close_after;
  }

  bool flush(Connection& connection) {
    bool blocked = false;
    while (!blocked && (!connection.out.empty() || connection.body_left > 0)) {
      const bool front = !connection.out.empty();
      const std::string_view bytes =
          front ? std::string_view(connection.out)
                : std::string_view(filler_).substr(0, std::min<std::uint64_t>(connection.body_left, kPiece));
      const auto sent = send_some(connection.socket, bytes);
      if (sent < 0) return false;
      blocked = static_cast<std::size_t>(sent) < bytes.size();
      if (front) {
        connection.out.erase(0, static_cast<std::size_t>(sent));
      } else {
        connection.body_left -= static_cast<std::uint64_t>(sent);
      }
    }
    if (blocked != connection.waits) {
      connection.waits = blocked;
      epoll_.change(connection.socket, &connection, blocked ? EPOLLOUT : EPOLLIN);
    }
    return blocked || !connection.close;
  }

  std::string status_line_;
  std::string filler_;
  int listener_;
  Epoll epoll_;
  std::array<char, kPiece> piece_;
};

}  // namespace

void answer(std::string_view listen, int status) {
  std::make_unique<Answerer>(listen, status)->run();
}

}  // namespace sekisho::bench::floor
