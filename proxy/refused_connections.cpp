#include "proxy/refused_connections.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

namespace sekisho::proxy {
namespace {

constexpr std::size_t most_waiting = 64;
constexpr auto longest_wait = std::chrono::seconds(1);
constexpr auto look_every = std::chrono::milliseconds(100);
constexpr unsigned reads_a_look = 4;

// What the client has sent is thrown away. False once it has closed.
bool drain(int descriptor) {
  char bytes[16 * 1024];
  for (unsigned i = 0; i < reads_a_look; ++i) {
    const ssize_t read = ::recv(descriptor, bytes, sizeof bytes, MSG_DONTWAIT);
    if (read == 0) return false;
    if (read < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  }
  return true;
}

void drain_and_close(int descriptor) {
  drain(descriptor);
  ::close(descriptor);
}

}  // namespace

RefusedConnections::RefusedConnections(EventLoop& loop) : loop_(loop) {
  waiting_.reserve(most_waiting);
}

RefusedConnections::~RefusedConnections() {
  for (const Waiting& each : waiting_) drain_and_close(each.descriptor);
}

void RefusedConnections::refuse(int descriptor, std::string_view answer, Instant now) {
  if (::send(descriptor, answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    ::close(descriptor);
    return;
  }
  ::shutdown(descriptor, SHUT_WR);
  if (waiting_.size() == most_waiting) {
    drain_and_close(waiting_.front().descriptor);
    waiting_.erase(waiting_.begin());
  }
  waiting_.push_back({descriptor, now + longest_wait});
  if (waiting_.size() == 1) loop_.start(*this, now + look_every);
}

void RefusedConnections::on_time(Instant now) {
  std::erase_if(waiting_, [now](const Waiting& each) {
    if (drain(each.descriptor) && now < each.until) return false;
    ::close(each.descriptor);
    return true;
  });
  if (!waiting_.empty()) loop_.start(*this, now + look_every);
}

}  // namespace sekisho::proxy
