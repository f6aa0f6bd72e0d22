#include "tests/proxy/wire_peer.hpp"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

#include "tests/support/in_process.hpp"

namespace sekisho::test {

namespace {

constexpr auto patience = std::chrono::seconds(10);

std::unique_ptr<WirePeer> prepared(int descriptor) {
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::fcntl(descriptor, F_SETFL, O_NONBLOCK);
  return std::make_unique<WirePeer>(descriptor);
}

void read_all(WirePeer& peer) {
  char bytes[65536];
  for (;;) {
    const ssize_t size = ::recv(peer.descriptor, bytes, sizeof bytes, 0);
    if (size > 0) {
      peer.received.append(bytes, static_cast<std::size_t>(size));
      continue;
    }
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    peer.ended = true;
    peer.reset = size < 0;
    return;
  }
}

}  // namespace

WirePeer::~WirePeer() {
  close();
}

void WirePeer::shut() {
  ::shutdown(descriptor, SHUT_WR);
}

void WirePeer::close() {
  if (descriptor >= 0) ::close(descriptor);
  descriptor = -1;
  ended = true;
}

void WirePeer::close_hard() {
  const linger at_once{1, 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

WireEnds::WireEnds() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  sockaddr_in address = loopback(0);
  ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
  ::listen(listener_, 64);
  socklen_t size = sizeof address;
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  upstream_port_ = ntohs(address.sin_port);
}

WireEnds::~WireEnds() {
  ::close(listener_);
}

void WireEnds::connect(std::uint16_t proxy_port) {
  if (client) former_clients.push_back(std::move(client));
  client = prepared(connect_to(proxy_port));
}

void WireEnds::send(WirePeer& peer, std::string_view bytes, bool in_pieces) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!bytes.empty() && peer.descriptor >= 0) {
    const ssize_t size = ::send(peer.descriptor, bytes.data(), in_pieces ? 1 : bytes.size(), MSG_NOSIGNAL);
    if (size > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(size));
    } else if (errno == EAGAIN && std::chrono::steady_clock::now() < deadline) {
      pump(std::chrono::milliseconds(1));
    } else {
      return;
    }
  }
}

bool WireEnds::wait(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    pump(std::chrono::milliseconds(100));
  }
  return true;
}

void WireEnds::pump(std::chrono::milliseconds timeout) {
  std::vector<WirePeer*> peers;
  if (client && !client->ended) peers.push_back(client.get());
  for (const auto& upstream : upstreams) {
    if (!upstream->ended) peers.push_back(upstream.get());
  }
  std::vector<pollfd> polled{{listener_, POLLIN, 0}};
  for (const WirePeer* peer : peers) polled.push_back({peer->descriptor, POLLIN, 0});
  ::poll(polled.data(), polled.size(), static_cast<int>(timeout.count()));
  for (std::size_t i = 0; i < peers.size(); ++i) {
    if (polled[i + 1].revents != 0) read_all(*peers[i]);
  }
  const int accepted = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (accepted >= 0) upstreams.push_back(prepared(accepted));
}

}  // namespace sekisho::test
