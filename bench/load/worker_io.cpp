#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "bench/load/worker.hpp"

namespace sekisho::load {
namespace {

// What is left of a body is worth receives of its own from so many bytes on.
constexpr std::uint64_t long_body = 16 * 1024;

// A slow reader's is small, or the kernel would read on in its place; but holds what two ticks read, or the
// peer's next bytes would come too late for a tick.
int receive_buffer_for(std::uint64_t read_rate, std::int64_t tick) {
  if (read_rate == 0) return 0;
  return static_cast<int>(
      std::clamp(2e-9 * static_cast<double>(read_rate) * static_cast<double>(tick), 4096.0, 1e8));
}

}  // namespace

void Worker::connect(std::uint32_t index) {
  Connection& connection = connections_[index];
  connection.parser.reset();
  connection.progressed = now_;
  bool connected = false;
  connection.fd = begin_connect(run_.target, share_.first_connection + index, run_.connections,
                                receive_buffer_for(clients_.read_rate, tick_), connected);
  if (connection.fd < 0) {
    connect_failed(index, errno);
    return;
  }
  ++connection.generation;
  if (counted(now_)) ++tally_.connections;
  // Edge-triggered and for both directions, so that this is the only call of its kind in a connection's life.
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = std::uint64_t{connection.generation} << 32 | index;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event) != 0) {
    connect_failed(index, errno);
    return;
  }
  connection.state = Connection::State::connecting;
  if (connected) opened(index);
}

void Worker::connect_failed(std::uint32_t index, int error) {
  tally_.connect_error = error;
  Progress::bump(progress_.unreached, std::max(1U, connections_[index].left));
  if (connections_[index].left > 0) {
    fail(index, Failure::connect);
    return;
  }
  if (counted(now_)) ++tally_.errors[static_cast<std::size_t>(Failure::connect)];
  Progress::bump(progress_.failed);
  close(index);
}

void Worker::close(std::uint32_t index) {
  Connection& connection = connections_[index];
  if (connection.fd >= 0) ::close(connection.fd);
  connection.fd = -1;
  connection.state = Connection::State::closed;
  ++connection.generation;
  connection.used = 0;
  connection.to_write = 0;
  connection.unsent.clear();
  connection.unsent_body = {};
  connection.pacing = false;
}

void Worker::handle(std::uint32_t index, std::uint32_t events) {
  Connection& connection = connections_[index];
  if (connection.state == Connection::State::connecting) {
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
      int error = 0;
      socklen_t size = sizeof error;
      ::getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &size);
      connect_failed(index, error);
      return;
    }
    if ((events & EPOLLOUT) == 0) return;
    opened(index);
  } else if ((events & EPOLLOUT) != 0 && connection.writing() && clients_.send_rate == 0) {
    flush(connection, connection.unsent.size() + connection.unsent_body.size());
    if (!connection.held_up()) write(index);
  }
  const bool ends = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  // A slow reader looks at its ticks, but for the end of a connection that it does not use.
  if ((ends || (events & EPOLLIN) != 0) && (clients_.read_rate == 0 || connection.left == 0))
    read(index, std::numeric_limits<std::uint64_t>::max(), ends);
}

void Worker::opened(std::uint32_t index) {
  connections_[index].state = Connection::State::open;
  if (connections_[index].left > 0) write(index);
}

// The body that is sent from where it lies; a smaller one is copied behind its head.
std::string_view Worker::large_body() const {
  return images_.body().size() > output_.size() / 4 ? images_.body() : std::string_view{};
}

// Puts as many of the batch's requests as have room into the output, or `one`; the length of what stands
// there. With a large body it is one head.
std::size_t Worker::compose(std::uint32_t index, bool one) {
  Connection& connection = connections_[index];
  const std::string_view large = large_body();
  const std::string_view body = large.empty() ? images_.body() : std::string_view{};
  std::size_t size = 0;
  do {
    const bool last = clients_.keepalive > 0 && connection.used + 1 == clients_.keepalive;
    const RequestImages::Image& image = images_.head(connection.path, last);
    char* out = output_.data() + size;
    std::memcpy(out, image.head.data(), image.head.size());
    if (draw_)
      write_address(*clients_.clients, draw_->next(share_.first_in_class + index), out + image.address);
    if (!body.empty()) std::memcpy(out + image.head.size(), body.data(), body.size());
    size += image.head.size() + body.size();
    if (++connection.path == images_.paths()) connection.path = 0;
    ++connection.used;
    --connection.to_write;
  } while (connection.to_write > 0 && !one && large.empty() &&
           output_.size() - size >= images_.most_head_bytes() + body.size());
  return size;
}

// What the socket does not take waits for it. Where it is broken, so the read will say.
void Worker::write(std::uint32_t index) {
  Connection& connection = connections_[index];
  if (clients_.read_rate > 0 || clients_.send_rate > 0) start_pacing(index);
  if (clients_.send_rate > 0) return;
  const std::string_view body = large_body();
  while (connection.to_write > 0) {
    const std::string_view head(output_.data(), compose(index, false));
    const std::size_t sent = send(connection, head, body);
    if (sent == head.size() + body.size()) continue;
    connection.unsent = head.substr(std::min(sent, head.size()));
    connection.unsent_body = body.substr(sent - std::min(sent, head.size()));
    return;
  }
}

// Sends of what waited for the socket; how many bytes it took.
std::size_t Worker::flush(Connection& connection, std::size_t most) {
  const std::string_view head = std::string_view(connection.unsent).substr(0, most);
  const std::string_view body = connection.unsent_body.substr(0, most - head.size());
  const std::size_t sent = send(connection, head, body);
  connection.unsent_body.remove_prefix(sent - std::min(sent, head.size()));
  connection.unsent.erase(0, std::min(sent, head.size()));
  return sent;
}

// How many bytes the socket took.
std::size_t Worker::send(Connection& connection, std::string_view head, std::string_view body) {
  ssize_t sent = 0;
  if (body.empty()) {
    sent = ::send(connection.fd, head.data(), head.size(), MSG_NOSIGNAL);
  } else {
    iovec pieces[2] = {{const_cast<char*>(head.data()), head.size()},
                       {const_cast<char*>(body.data()), body.size()}};
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = 2;
    sent = ::sendmsg(connection.fd, &message, MSG_NOSIGNAL);
  }
  if (sent <= 0) return 0;
  if (counted(now_)) tally_.bytes_out += static_cast<std::uint64_t>(sent);
  connection.progressed = now_;
  return static_cast<std::size_t>(sent);
}

// No more than `most` bytes; how many it read.
std::uint64_t Worker::read(std::uint32_t index, std::uint64_t most, bool to_end) {
  Connection& connection = connections_[index];
  const std::uint32_t generation = connection.generation;
  std::uint64_t taken = 0;
  while (connection.generation == generation && taken < most) {
    // Of a body only the length counts: TCP lets go of it without copying it. A UNIX socket does not know
    // that, and copies.
    const std::uint64_t body = connection.parser.body_left();
    const bool unseen = body >= long_body;
    const std::size_t room =
        std::min({std::uint64_t{input_.size()}, most - taken, unseen ? body : UINT64_MAX});
    const ssize_t size = ::recv(connection.fd, input_.data(), room, unseen ? MSG_TRUNC : 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) break;
    now_ = steady_now();
    if (size == 0) {
      peer_closed(index);
    } else if (size < 0) {
      if (connection.left > 0) {
        fail(index, Failure::reset);
      } else {
        close(index);
      }
    } else {
      taken += static_cast<std::uint64_t>(size);
      connection.progressed = now_;
      if (counted(now_)) tally_.bytes_in += static_cast<std::uint64_t>(size);
      if (!consume(index, {input_.data(), static_cast<std::size_t>(size)}, to_end)) break;
      // Less than there was room for: the rest, if any, comes with an event of its own, but for the end that
      // this one told of.
      if (static_cast<std::size_t>(size) < room && !to_end) break;
    }
  }
  return taken;
}

// `ended`: whether the peer sends nothing after what has come. False where nothing more can be due
// before an event tells of it: the responses were the last ones asked for, or the connection is done with.
bool Worker::consume(std::uint32_t index, std::string_view input, bool ended) {
  Connection& connection = connections_[index];
  ResponseParser& parser = connection.parser;
  if (connection.left == 0) {
    // Nothing was asked for. A server may say 408 before it closes an idle connection; anything else is a
    // mistake.
    const bool said =
        parser.take(input, false) != ResponseParser::Result::malformed && parser.status() == 408;
    if (!said && counted(now_)) ++tally_.errors[static_cast<std::size_t>(Failure::malformed)];
    close(index);
    return false;
  }
  while (!input.empty()) {
    switch (parser.take(input, to_head_)) {
      case ResponseParser::Result::more:
        return true;
      case ResponseParser::Result::malformed:
        fail(index, Failure::malformed);
        return false;
      case ResponseParser::Result::complete:
        break;
    }
    note_response(connection);
    --connection.left;
    if (connection.left > 0) {
      if (!parser.closes()) continue;
      fail(index, Failure::reset);
      return false;
    }
    const bool surplus = !input.empty() && !parser.closes();
    if (surplus && counted(connection.started)) ++tally_.errors[static_cast<std::size_t>(Failure::malformed)];
    // A response that came ahead of its request's end leaves a connection on which nobody knows what is next.
    const bool used_up = clients_.keepalive > 0 && connection.used >= clients_.keepalive;
    if (surplus || ended || parser.closes() || connection.writing() || used_up) close(index);
    batch_over(index, 0);
    return false;
  }
  return true;
}

void Worker::peer_closed(std::uint32_t index) {
  Connection& connection = connections_[index];
  if (connection.left > 0 && connection.parser.ends_at_close()) {
    note_response(connection);
    --connection.left;
    if (connection.left == 0) {
      close(index);
      batch_over(index, 0);
      return;
    }
  }
  if (connection.left > 0) {
    fail(index, Failure::reset);
  } else {
    close(index);
  }
}

void Worker::start_pacing(std::uint32_t index) {
  Connection& connection = connections_[index];
  if (connection.pacing) return;
  connection.pacing = true;
  connection.reading.begin(now_);
  connection.sending.begin(now_);
  timers_.push({now_ + tick_, index, connection.generation});
}

void Worker::pace(std::uint32_t index) {
  Connection& connection = connections_[index];
  if (connection.left == 0) {
    connection.pacing = false;
    return;
  }
  timers_.push({now_ + tick_, index, connection.generation});
  if (clients_.send_rate > 0) send_slowly(index);
  if (clients_.read_rate > 0) read_slowly(index);
}

void Worker::send_slowly(std::uint32_t index) {
  Connection& connection = connections_[index];
  if (!connection.writing()) connection.sending.begin(now_);
  std::uint64_t most = connection.sending.bytes(clients_.send_rate, now_);
  while (most > 0 && connection.writing()) {
    if (!connection.held_up()) {
      connection.unsent.assign(output_.data(), compose(index, true));
      connection.unsent_body = large_body();
    }
    const std::size_t sent = flush(connection, most);
    if (sent == 0) return;
    connection.sending.spend(clients_.send_rate, sent);
    most -= sent;
  }
}

void Worker::read_slowly(std::uint32_t index) {
  Connection& connection = connections_[index];
  const std::uint64_t most = connection.reading.bytes(clients_.read_rate, now_);
  const std::uint64_t taken = read(index, most, false);
  connection.reading.spend(clients_.read_rate, taken);
  // The wait for a response is not the reader's, and nothing to make up for.
  if (taken < most && !connection.parser.within()) connection.reading.begin(now_);
}

}  // namespace sekisho::load
