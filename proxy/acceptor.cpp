#include "proxy/acceptor.hpp"

#include <fmt/format.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "proxy/diagnostic_log.hpp"
#include "proxy/head_writer.hpp"
#include "proxy/worker.hpp"

namespace sekisho::proxy {
namespace {

constexpr unsigned accepts_a_turn = 64;
constexpr unsigned most_in_a_backlog = 4096;
constexpr Duration back_off_time = std::chrono::milliseconds(100);

config::IpAddress to_ip(const sockaddr_storage& from) {
  if (from.ss_family == AF_INET6) {
    std::array<std::uint8_t, 16> bytes;
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6&>(from).sin6_addr, bytes.size());
    return config::IpAddress::v6(bytes);
  }
  if (from.ss_family == AF_INET)
    return config::IpAddress::v4(ntohl(reinterpret_cast<const sockaddr_in&>(from).sin_addr.s_addr));
  return config::IpAddress::v4(0x7f000001);
}

}  // namespace

Acceptor::Acceptor(ListeningSocket socket, std::shared_ptr<const ListenerState> state, EventLoop& loop,
                   WorkerGroup& group)
    : loop_(loop),
      group_(group),
      descriptor_(socket.descriptor()),
      file_(socket.take_file()),
      state_(std::move(state)),
      refused_(loop) {
  socket.release();
}

Acceptor::~Acceptor() {
  if (open_) ::close(descriptor_);
}

void Acceptor::start() {
  self_ = shared_from_this();
  watch();
}

void Acceptor::watch() {
  const auto error = loop_.watch(descriptor_, *this);
  watched_ = !error;
  if (watched_) return;
  say_no_descriptors(error.value());
  loop_.start(*this, loop_.now() + back_off_time);
}

// A classic BPF program on the listening socket, which sees each segment from its TCP header on: what carries
// an ACK passes, a first SYN does not. Where it cannot be had (a sandboxed kernel), a connection made within
// the instant of the close is reset, as everywhere. A UNIX socket needs none: its file goes first.
void Acceptor::turn_away() {
  constexpr std::uint32_t flags_offset = 13, ack = 0x10;
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, flags_offset),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, ack, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  const sock_fprog filter{.len = std::size(program), .filter = program};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

void Acceptor::stop() {
  if (!open_) return;
  const auto self = std::move(self_);
  file_.remove();  // first: who comes now finds nobody, in place of a backlog about to go
  accept_some(most_in_a_backlog);
  LoopTimer::unlink();
  loop_.forget(*this);
  open_ = false;
  ::close(descriptor_);
}

void Acceptor::retire() {
  turn_away();
  retiring_ = true;
  loop_.start(*this, loop_.now() + handshake_time);
}

void Acceptor::on_events(std::uint32_t) {
  on_turn();
}

void Acceptor::on_turn() {
  switch (accept_some(accepts_a_turn)) {
    case Backlog::empty:
      break;
    case Backlog::more:
      loop_.defer(*this);
      break;
    case Backlog::no_descriptors:
      if (!retiring_) loop_.start(*this, loop_.now() + back_off_time);
  }
}

void Acceptor::on_time(Instant) {
  if (retiring_) {
    stop();
  } else if (!watched_) {
    watch();
  } else {
    on_turn();
  }
}

Acceptor::Backlog Acceptor::accept_some(unsigned most) {
  unsigned failed = 0;
  for (unsigned i = 0; i < most; ++i) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    const int descriptor =
        ::accept4(descriptor_, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
      place(descriptor, from.ss_family, to_ip(from));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return Backlog::empty;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      say_no_descriptors(errno);
      return Backlog::no_descriptors;
    } else {
      ++failed;  // that one connection, before it was taken (ECONNABORTED and the like)
    }
  }
  // One after the other: that is no connection's own trouble.
  return failed == most ? Backlog::no_descriptors : Backlog::more;
}

void Acceptor::place(int descriptor, int family, const config::IpAddress& peer) {
  Worker& first = *group_.workers.front();
  Worker* least = &first;
  std::uint64_t total = 0;
  for (const auto& worker : group_.workers) {
    total += worker->connections();
    if (worker->connections() < least->connections()) least = worker.get();
  }
  if (const std::uint64_t most = first.current().config->client.max_connections; total >= most) {
    refuse(descriptor, first, most);
    return;
  }
  least->expect_client();
  AcceptedConnection accepted{descriptor, family, peer, state_->port, state_};
  if (least == &first) {
    first.adopt_client(accepted);
    return;
  }
  least->loop().post([least, accepted = std::move(accepted)] { least->adopt_client(accepted); });
}

// Over TLS, or before a PROXY header was read, there is no way to say anything.
void Acceptor::refuse(int descriptor, Worker& first, std::uint64_t most) {
  const ratelimit::Instant now = std::chrono::steady_clock::now();
  first.counters.connections_refused.add();
  if (state_->tls != nullptr || state_->proxy_protocol) {
    ::close(descriptor);
  } else {
    LocalAnswer answer;
    answer.status = 503;
    answer.retry_after = 1;
    answer.keep_alive = false;
    answer.date = first.wall_ms() / 1000;
    first.scratch.clear();
    write_local_answer(first.scratch, answer, nullptr);
    refused_.refuse(descriptor, first.scratch.view(), now);
  }
  if (!say_full_.due(now)) return;
  const std::string address = bound_address(*state_);
  post_event(LogLevel::warning, "connections_refused",
             fmt::format("{} refuses connections: client.max_connections ({}) are open", address, most),
             {{"listen", address}, {"max_connections", most}});
}

void Acceptor::say_no_descriptors(int error) {
  if (!say_no_descriptors_.due(std::chrono::steady_clock::now())) return;
  const std::string address = bound_address(*state_);
  post_event(LogLevel::error, "accept_paused",
             fmt::format("{} cannot accept for now, connections wait in the kernel's queue: {}", address,
                         std::strerror(error)),
             {{"listen", address}});
}

}  // namespace sekisho::proxy
