// A large response of known length goes from socket to socket through a pipe, as long as the client keeps up.
#include <algorithm>

#include "proxy/forward.hpp"
#include "proxy/worker.hpp"

namespace sekisho::proxy {
namespace {

// Below this the pipe costs more than the copies.
constexpr std::uint64_t least_to_splice = 128 * 1024;
// Of one connection in one turn; others wait meanwhile.
constexpr unsigned moves_a_turn = 4;
// Less than this was all that the server had sent: a turn later there is more, and one call moves it.
constexpr std::size_t ample = 128 * 1024;

}  // namespace

// Once the head is sent, and where nothing of the body is with us. Takes a pipe where it may.
bool Forward::may_splice() {
  const Link& client = client_.link_;
  const Link& upstream = *upstream_link_;
  if (by_copy_ || response_remaining_ < least_to_splice || exchange_.response.framing != Framing::length ||
      !upstream.in.empty() || upstream.eof || upstream.broken || !client.out.empty() || client.gone() ||
      !client.stream->can_splice() || !upstream.stream->can_splice())
    return false;
  pipe_ = client_.worker_.pipes.borrow();
  by_copy_ = !pipe_;
  if (by_copy_) return false;
  upstream_link_->disarm_read(upstream.in);
  return true;
}

// False where the client takes no more for now.
bool Forward::flush_pipe() {
  Link& client = client_.link_;
  if (pipe_->held() == 0) return true;
  if (client.stream->write_wait_pending() || client.gone()) return false;
  const auto outcome = client.stream->try_write_from(*pipe_, response_remaining_ > 0);
  if (outcome.error) {
    client.send_failed = true;
    return false;
  }
  if (outcome.bytes > 0) {
    client.bytes_written += outcome.bytes;
    client.write_progress = client_.now();
    exchange_.body_bytes_out += outcome.bytes;
  }
  if (pipe_->held() == 0) return true;
  client.stream->start_wait_writable();
  return false;
}

std::optional<ForwardEnd> Forward::splice_response() {
  Link& client = client_.link_;
  Link& upstream = *upstream_link_;
  for (unsigned moves = 0; moves < moves_a_turn && response_remaining_ > 0 && flush_pipe(); ++moves) {
    if (upstream.stream->read_wait_pending()) break;
    const auto outcome = upstream.stream->try_read_into(*pipe_, response_remaining_);
    upstream.eof = outcome.eof;
    upstream.broken = static_cast<bool>(outcome.error);
    if (outcome.bytes == 0) break;
    client.write_progress = client_.now();  // all before was taken
    response_remaining_ -= outcome.bytes;
    upstream.bytes_read += outcome.bytes;
    upstream_progress_ = client_.now();
    if (outcome.bytes < ample && response_remaining_ > 0) moves = moves_a_turn;
  }
  flush_pipe();
  if (client.gone()) return ForwardEnd::client_gone;
  if (response_remaining_ == 0) {
    response_state_ = ResponseState::done;
  } else if (upstream.eof || upstream.broken) {
    stop_splicing();  // what came goes out before the end
    return upstream_ended();
  } else if (pipe_->held() > 0 && client_.now() - client.write_progress >= splice_patience) {
    // A slow client: the server is read ahead of it, so that it is free for others.
    stop_splicing();
  }
  return std::nullopt;
}

void Forward::stop_splicing() {
  by_copy_ = true;
  char space[16 * 1024];
  while (const std::size_t got = pipe_->read(space, std::min(sizeof space, pipe_->held()))) {
    exchange_.body_bytes_out += got;
    client_.link_.send({space, got}, client_.now(), true);
  }
  client_.worker_.pipes.give_back(std::move(pipe_));
  client_.link_.flush(client_.now());
}

}  // namespace sekisho::proxy
