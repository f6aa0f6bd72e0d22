#include "bench/floor/socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace sekisho::bench::floor {
namespace {

int checked(int result, const char* what) {
  if (result < 0) {
    std::fprintf(stderr, "sekisho-floor: %s: %s\n", what, std::strerror(errno));
    std::exit(1);
  }
  return result;
}

sockaddr_in parse(std::string_view address) {
  const auto colon = address.rfind(':');
  sockaddr_in result{};
  result.sin_family = AF_INET;
  const std::string host(address.substr(0, colon));
  const std::string port(colon == std::string_view::npos ? "" : address.substr(colon + 1));
  result.sin_port = htons(static_cast<std::uint16_t>(std::strtoul(port.c_str(), nullptr, 10)));
  if (inet_pton(AF_INET, host.c_str(), &result.sin_addr) != 1 || result.sin_port == 0) {
    std::fprintf(stderr, "sekisho-floor: no address: %s\n", std::string(address).c_str());
    std::exit(2);
  }
  return result;
}

void set(int socket, int level, int option) {
  const int on = 1;
  checked(setsockopt(socket, level, option, &on, sizeof on), "setsockopt");
}

}  // namespace

int listen_on(std::string_view address) {
  const sockaddr_in where = parse(address);
  const int listener = checked(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
  set(listener, SOL_SOCKET, SO_REUSEADDR);
  set(listener, IPPROTO_TCP, TCP_NODELAY);  // what is accepted inherits it
  checked(bind(listener, reinterpret_cast<const sockaddr*>(&where), sizeof where), "bind");
  checked(listen(listener, 4096), "listen");
  return listener;
}

int connect_to(std::string_view address) {
  static const sockaddr_in where = parse(address);
  // Blocking until it is connected: on one machine that is at once.
  const int peer = checked(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  checked(connect(peer, reinterpret_cast<const sockaddr*>(&where), sizeof where), "connect");
  set(peer, IPPROTO_TCP, TCP_NODELAY);
  return peer;
}

int accept_from(int listener) {
  return accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

std::ptrdiff_t send_some(int socket, std::string_view bytes) {
  const auto sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent >= 0 ? sent : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

std::ptrdiff_t receive_some(int socket, std::span<char> into) {
  const auto got = recv(socket, into.data(), into.size(), MSG_DONTWAIT);
  return got > 0 ? got : got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

Epoll::Epoll() : epoll_(checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {}

void Epoll::add(int socket, void* owner, std::uint32_t events) const {
  epoll_event event{.events = events, .data = {.ptr = owner}};
  checked(epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event), "epoll_ctl");
}

void Epoll::change(int socket, void* owner, std::uint32_t events) const {
  epoll_event event{.events = events, .data = {.ptr = owner}};
  checked(epoll_ctl(epoll_, EPOLL_CTL_MOD, socket, &event), "epoll_ctl");
}

std::span<const epoll_event> Epoll::wait() {
  const int count = epoll_wait(epoll_, events_, static_cast<int>(std::size(events_)), -1);
  return {events_, count > 0 ? static_cast<std::size_t>(count) : 0};
}

}  // namespace sekisho::bench::floor
