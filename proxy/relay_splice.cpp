// Large bodies of known length go from socket to socket through a pipe, as long as the other side keeps up.
#include <algorithm>
#include <boost/asio/error.hpp>

#include "proxy/forward.hpp"
#include "proxy/worker.hpp"

namespace sekisho::proxy {
namespace {

// Below this the pipe costs more than the copies.
constexpr std::uint64_t least_to_splice = 128 * 1024;
// Of one connection in one turn; others wait meanwhile.
constexpr unsigned moves_a_turn = 4;
// Less than this was all that had come: a turn later there is more, and one call moves it.
constexpr std::size_t ample = 128 * 1024;

// Where nothing of the body is with us.
bool can_splice(const Link& from, const Link& to) {
  return !from.eof && !from.broken && !to.gone() && to.out.empty() && from.stream->can_splice() &&
         to.stream->can_splice();
}

// False where `to` takes no more for now.
bool flush(SplicePipe& pipe, Link& to, Instant now) {
  if (pipe.held() == 0) return true;
  if (to.stream->write_wait_pending() || to.gone()) return false;
  const auto outcome = to.stream->try_write_from(pipe);
  if (outcome.error) {
    to.send_failed = true;
    return false;
  }
  to.bytes_written += outcome.bytes;
  if (outcome.bytes > 0) to.write_progress = now;
  if (pipe.held() == 0) return true;
  to.stream->start_wait_writable();
  return false;
}

struct Moved {
  std::uint64_t bytes = 0;
  bool dry = false;          // all that had come is with `to`
  bool unsupported = false;  // by the system: nothing was moved
};

// Moves what has come, at most `remaining`.
Moved move(SplicePipe& pipe, Link& from, Link& to, std::uint64_t remaining, Instant now) {
  Moved moved;
  bool nothing_left = from.stream->read_wait_pending();
  for (unsigned moves = 0; moves < moves_a_turn && moved.bytes < remaining; ++moves) {
    if (nothing_left || !flush(pipe, to, now)) break;
    const auto outcome = from.stream->try_read_into(pipe, remaining - moved.bytes);
    moved.unsupported = outcome.error == asio::error::operation_not_supported;
    if (moved.unsupported) return moved;
    from.eof = outcome.eof;
    from.broken = static_cast<bool>(outcome.error);
    from.bytes_read += outcome.bytes;
    moved.bytes += outcome.bytes;
    if (outcome.bytes > 0) to.write_progress = now;  // all before was taken
    nothing_left = outcome.bytes < ample;
  }
  moved.dry = flush(pipe, to, now) && nothing_left;
  return moved;
}

}  // namespace

// Once the head is sent. Takes a pipe where it may.
bool Forward::may_splice_response() {
  const Link& upstream = *upstream_link_;
  if (by_copy_ || response_remaining_ < least_to_splice || exchange_.response.framing != Framing::length ||
      !upstream.in.empty() || !can_splice(upstream, client_.link_))
    return false;
  pipe_ = client_.worker_.pipes.borrow();
  by_copy_ = !pipe_;
  if (by_copy_) return false;
  upstream_link_->disarm_read(upstream.in);
  return true;
}

void Forward::flush_pipe() {
  const std::uint64_t before = client_.link_.bytes_written;
  flush(*pipe_, client_.link_, client_.now());
  exchange_.body_bytes_out += client_.link_.bytes_written - before;
}

std::optional<ForwardEnd> Forward::splice_response() {
  Link& client = client_.link_;
  Link& upstream = *upstream_link_;
  const std::uint64_t written_before = client.bytes_written;
  const Moved moved = move(*pipe_, upstream, client, response_remaining_, client_.now());
  exchange_.body_bytes_out += client.bytes_written - written_before;
  response_remaining_ -= moved.bytes;
  if (moved.bytes > 0) upstream_progress_ = client_.now();
  if (moved.dry) {
    behind_since_ = Instant::max();
  } else if (behind_since_ == Instant::max()) {
    behind_since_ = client_.now();
  }
  if (client.gone()) return ForwardEnd::client_gone;
  if (response_remaining_ == 0) {
    response_state_ = ResponseState::done;
  } else if (moved.unsupported) {
    client_.worker_.pipes.disable();
    stop_splicing();
  } else if (upstream.eof || upstream.broken) {
    stop_splicing();  // what came goes out before the end
    return upstream_ended();
  } else if (behind_since_ != Instant::max() && client_.now() - behind_since_ >= splice_patience) {
    // The client is slower than the server, which is read ahead of it from here on, to be free for others.
    stop_splicing();
  }
  return std::nullopt;
}

void Forward::stop_splicing() {
  if (!pipe_) return;
  by_copy_ = true;
  char space[16 * 1024];
  while (const std::size_t got = pipe_->read(space, std::min(sizeof space, pipe_->held()))) {
    exchange_.body_bytes_out += got;
    client_.link_.send({space, got}, client_.now(), true);
  }
  client_.worker_.pipes.give_back(std::move(pipe_));
  client_.link_.flush(client_.now());
}

// The rest of a body that flows, once what was held of it is out.
bool Forward::may_splice_request() {
  const RequestBody& body = exchange_.request_body;
  if (!streaming_ || chunked_out_ || request_by_copy_ || exchange_.head.framing != Framing::length ||
      body.remaining < least_to_splice || !exchange_.body.empty() || !exchange_.body_in.empty() ||
      !client_.link_.in.empty() || !can_splice(client_.link_, *upstream_link_))
    return false;
  request_pipe_ = client_.worker_.pipes.borrow();
  request_by_copy_ = !request_pipe_;
  if (request_by_copy_) return false;
  client_.link_.disarm_read(exchange_.body_in);
  return true;
}

std::optional<ForwardEnd> Forward::splice_request() {
  Link& client = client_.link_;
  Link& upstream = *upstream_link_;
  RequestBody& body = exchange_.request_body;
  const Moved moved = move(*request_pipe_, client, upstream, body.remaining, client_.now());
  if (moved.unsupported) {
    client_.worker_.pipes.disable();
    client_.worker_.pipes.give_back(std::move(request_pipe_));
    request_by_copy_ = true;
    return std::nullopt;
  }
  body.remaining -= moved.bytes;
  body.received += moved.bytes;
  body.complete = body.remaining == 0;
  if (moved.bytes > 0) {
    body.held = false;
    body_progress_ = upstream_progress_ = client_.now();
  }
  if (!body.complete && (client.eof || client.broken)) return ForwardEnd::client_gone;
  request_sent_ = body.complete && request_pipe_->held() == 0;
  return std::nullopt;
}

void Forward::give_back_pipes() {
  for (auto* pipe : {&pipe_, &request_pipe_}) {
    if (*pipe) client_.worker_.pipes.give_back(std::move(*pipe));
  }
}

}  // namespace sekisho::proxy
