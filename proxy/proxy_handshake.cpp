#include "proxy/proxy_handshake.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "proxy/diagnostic_log.hpp"
#include "proxy/proxy_protocol.hpp"
#include "proxy/worker.hpp"

namespace sekisho::proxy {

ProxyHandshake::ProxyHandshake(Worker& worker, AcceptedConnection accepted)
    : worker_(worker),
      accepted_(std::move(accepted)),
      deadline_(worker.now() + worker.current().config->client.header_timeout) {
  worker_.counters.client_idle.add();
}

ProxyHandshake::~ProxyHandshake() {
  worker_.wheel.clear(*this);
  worker_.counters.client_idle.subtract();
}

void ProxyHandshake::begin(Worker& worker, AcceptedConnection accepted, List& all) {
  const std::shared_ptr<ProxyHandshake> made(new ProxyHandshake(worker, std::move(accepted)));
  all.push_back(*made);
  if (!worker.current().engine->trusts(made->accepted_.peer)) {
    made->refuse("it is not one of client_ip.trusted_proxies");
    return;
  }
  made->end_by(made->deadline_);
  made->self_ = made;
  if (const auto error = worker.loop().watch(made->accepted_.descriptor, *made)) {
    made->refuse(error.message());
  }
}

void ProxyHandshake::on_events(std::uint32_t) {
  const auto self = self_;
  go_on();
}

void ProxyHandshake::go_on() {
  switch (take_header()) {
    case Step::wait:
      return;
    case Step::done:
      hand_over();
      return;
    case Step::gone:
      // A check that connects and leaves is nothing to tell of.
      if (seen_.empty()) {
        end();
      } else {
        refuse("it left within its PROXY header");
      }
      return;
    case Step::malformed:
      refuse("it does not begin with a PROXY header");
  }
}

// Looks at what has come, and takes as much of it as is the header's: all of it, where more of that is to
// come.
ProxyHandshake::Step ProxyHandshake::take_header() {
  char space[longest_proxy_header];
  for (;;) {
    std::copy(seen_.begin(), seen_.end(), space);
    char* const next = space + seen_.size();
    const ssize_t came = ::recv(accepted_.descriptor, next, sizeof space - seen_.size(), MSG_PEEK);
    if (came == 0) return Step::gone;
    if (came < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK ? Step::wait : Step::gone;
    }
    const std::size_t size = seen_.size() + static_cast<std::size_t>(came);
    const ProxyHeader header = parse_proxy_header({space, size});
    if (header.status == ProxyHeader::Status::malformed) return Step::malformed;
    const bool complete = header.status == ProxyHeader::Status::complete;
    const std::size_t taken = (complete ? header.consumed : size) - seen_.size();
    if (::recv(accepted_.descriptor, next, taken, 0) != static_cast<ssize_t>(taken)) return Step::gone;
    if (!complete) {
      seen_.assign(space, size);
      continue;
    }
    if (header.source) {
      accepted_.peer = *header.source;
      accepted_.port = header.destination_port;
    }
    return Step::done;
  }
}

void ProxyHandshake::on_deadline(Instant) {
  const auto self = shared_from_this();
  refuse("no PROXY header came within client.header_timeout");
}

void ProxyHandshake::end_by(Instant deadline) {
  deadline_ = std::min(deadline_, deadline);
  worker_.wheel.set(*this, deadline_);
}

void ProxyHandshake::abandon() {
  const auto self = shared_from_this();
  end();
}

void ProxyHandshake::hand_over() {
  const auto self = std::move(self_);
  HandshakeHook::unlink();
  worker_.wheel.clear(*this);
  worker_.loop().unwatch(accepted_.descriptor, *this);
  worker_.begin_client(accepted_);
}

void ProxyHandshake::refuse(std::string_view why) {
  worker_.counters.connections_refused.add();
  if (accepted_.listener->shared->proxy_refusal.due(worker_.now())) {
    const std::string address = bound_address(*accepted_.listener);
    const std::string peer = accepted_.peer.to_string();
    post_event(LogLevel::warning, "connections_refused",
               fmt::format("{} refuses a connection of {}: {}", address, peer, why),
               {{"listen", address}, {"peer", std::string_view(peer)}});
  }
  end();
}

void ProxyHandshake::end() {
  const auto self = std::move(self_);
  HandshakeHook::unlink();
  worker_.wheel.clear(*this);
  worker_.loop().forget(*this);
  ::close(accepted_.descriptor);
  worker_.client_ended();
}

}  // namespace sekisho::proxy
