// relay: the request to the upstream and its response to the client, both at once, as far as each side takes
// them.
#include <algorithm>
#include <stdexcept>

#include "proxy/chunk_header.hpp"
#include "proxy/forward.hpp"
#include "proxy/request_body.hpp"
#include "proxy/worker.hpp"

namespace sekisho::proxy {
namespace {

constexpr std::size_t read_size = 16 * 1024;
constexpr std::size_t large_read_size = 64 * 1024;
constexpr std::size_t body_in_flight = 64 * 1024;  // of a streamed request body, between client and upstream
constexpr Duration rate_window = std::chrono::seconds(5);

}  // namespace

Task<ForwardEnd> Forward::relay() {
  Link& client = client_.link_;
  held_sent_ = 0;
  request_sent_ = trailers_sent_ = false;
  response_state_ = ResponseState::head;
  interim_responses_ = 0;
  exchange_.response_parser.reset(exchange_.head.method);
  exchange_.upstream_started = upstream_progress_ = client_.now();
  body_was_read_ = upstream_was_read_ = false;
  send_request_head();
  for (;;) {
    // Gone once the response is whole: its connection may be serving another exchange by now.
    if (upstream_link_ != nullptr && upstream_link_->book_read() && !upstream_link_->in.empty()) {
      upstream_progress_ = client_.now();
    }
    if (client.book_read() && !exchange_.request_body.complete) body_progress_ = client_.now();
    // The response first: what the server said before it failed still counts.
    if (response_state_ != ResponseState::done) {
      if (auto end = pump_response()) co_return *end;
    }
    if (switching_) co_return ForwardEnd::complete;
    if (response_state_ != ResponseState::done) {
      if (auto end = pump_request()) co_return *end;
    }
    client.flush(client_.now());
    if (pipe_ && response_state_ == ResponseState::done) flush_pipe();
    if (client_left()) co_return ForwardEnd::client_gone;
    if (response_state_ == ResponseState::done && !client_owed()) co_return ForwardEnd::complete;
    restart_clocks();
    if (auto end = check_deadlines()) co_return *end;
    arm();
    client_.sleep_until(next_deadline());
    co_await client_.wakeup_;
  }
}

void Forward::send_request_head() {
  const RequestBody& body = exchange_.request_body;
  Forwarding forwarding;
  forwarding.listener_port = client_.local_port_;
  forwarding.listener_tls = client_.listener_->tls != nullptr;
  forwarding.request_id = exchange_.request_id;
  forwarding.start_ms = exchange_.wall_ms;
  if (exchange_.head.framing == Framing::none) {
    forwarding.framing = Framing::none;
  } else if (body.complete && !request_trailers_pass()) {
    forwarding.framing = Framing::length;
    forwarding.content_length = exchange_.body.size();
  } else {
    forwarding.framing = exchange_.head.framing;
    forwarding.content_length = exchange_.head.content_length;
  }
  chunked_out_ = forwarding.framing == Framing::chunked;
  HeadBuffer& scratch = client_.worker_.scratch;
  scratch.clear();
  write_request_head(scratch, exchange_.head, exchange_.admission, forwarding);
  if (scratch.overflowed()) throw std::length_error("the request's head outgrows its buffer");

  Gather gather;
  char space[20];
  gather.add(scratch.view());
  if (!streaming_) {
    if (chunked_out_ && !exchange_.body.empty()) gather.add(chunk_header(exchange_.body.size(), space));
    const std::size_t room = gather.items.size() - gather.count;
    const std::size_t count = exchange_.body.peek(std::span(gather.items).subspan(gather.count, room));
    for (std::size_t i = 0; i < count; ++i) held_sent_ += gather.items[gather.count + i].size();
    gather.count += count;
  }
  upstream_link_->send(gather.view(), client_.now());
}

// The rest of a body that was taken whole, in order, as the socket takes it; it stays held for a second try.
void Forward::send_held_body() {
  while (upstream_link_->out.empty() && !upstream_link_->gone() && held_sent_ < exchange_.body.size()) {
    Gather gather;
    gather.count = exchange_.body.peek(gather.items, held_sent_);
    for (const auto& item : gather.view()) held_sent_ += item.size();
    upstream_link_->send(gather.view(), client_.now());
    upstream_progress_ = client_.now();
  }
}

std::optional<ForwardEnd> Forward::pump_request() {
  Link& upstream = *upstream_link_;
  RequestBody& body = exchange_.request_body;
  if (!upstream.out.empty()) {
    const std::uint64_t before = upstream.bytes_written;
    upstream.flush(client_.now());
    if (upstream.bytes_written != before) upstream_progress_ = client_.now();
  }
  if (upstream.send_failed) {
    // Nothing went out: another try is safe. Else the server may have answered before it closed: its answer
    // is read first.
    if (upstream.bytes_written == 0 && upstream.bytes_read == 0) return ForwardEnd::retry;
    return std::nullopt;
  }
  if (!streaming_) {
    send_held_body();
    if (!request_sent_ && held_sent_ == exchange_.body.size()) {
      if (chunked_out_) {
        Gather end;
        if (!exchange_.body.empty()) end.add("\r\n");
        end.add(request_end());
        upstream.send(end.view(), client_.now());
      }
      request_sent_ = true;
    }
    return std::nullopt;
  }
  if (request_pipe_) return request_sent_ ? std::nullopt : splice_request();
  while (!request_sent_ && upstream.out.size() < body_in_flight && !upstream.send_failed) {
    pull_request_body(exchange_, client_.link_, body_in_flight, client_config().max_body_bytes);
    if (body.malformed) return ForwardEnd::client_malformed;
    if (body.too_large) return ForwardEnd::client_too_large;
    if (exchange_.body.empty() && !body.complete) {
      if (client_.link_.eof) return ForwardEnd::client_gone;
      return std::nullopt;
    }
    char space[20];
    Gather gather;
    const std::size_t size = exchange_.body.size();
    if (size > 0) {
      if (chunked_out_) gather.add(chunk_header(size, space));
      // At most body_in_flight and one read: a handful of blocks.
      gather.count += exchange_.body.peek(
          std::span(gather.items).subspan(gather.count, gather.items.size() - gather.count - 2));
      if (chunked_out_) gather.add("\r\n");
    }
    if (chunked_out_ && body.complete) gather.add(request_end());
    upstream.send(gather.view(), client_.now());
    upstream_progress_ = client_.now();
    exchange_.body.consume(size);
    if (size > 0) body.held = false;
    request_sent_ = body.complete;
  }
  return std::nullopt;
}

bool Forward::wants_client_body() const {
  return streaming_ && response_state_ != ResponseState::done && !exchange_.request_body.complete &&
         upstream_link_ != nullptr && !upstream_link_->send_failed && exchange_.body_in.empty() &&
         (request_pipe_ ? !upstream_link_->stream->write_wait_pending()
                        : upstream_link_->takes_more(read_size, body_in_flight));
}

bool Forward::may_read_ahead() const {
  return client_.link_.takes_more(large_read_size, upstream_config().buffer.response);
}

bool Forward::reading_body() const {
  return !exchange_.request_body.complete && response_state_ != ResponseState::done &&
         (upstream_link_ == nullptr || wants_client_body());
}

// While one side is not read, because the other takes nothing, its time does not run.
void Forward::restart_clocks() {
  const Instant now = client_.now();
  const bool reads_body = reading_body();
  if (reads_body && !body_was_read_) {
    body_progress_ = rate_window_ = now;
    rate_window_bytes_ = client_.link_.bytes_read;
  }
  body_was_read_ = reads_body;
  const bool reads_upstream = may_read_ahead();
  if (reads_upstream && !upstream_was_read_) upstream_progress_ = now;
  upstream_was_read_ = reads_upstream;
}

// Starts the reads that may go on. Pending writes have their own waits.
void Forward::arm() {
  Link& client = client_.link_;
  if (wants_client_body() && (request_pipe_ || may_splice_request())) {
    if (!client.stream->read_wait_pending()) client.stream->start_wait_readable();
  } else if (wants_client_body()) {
    client.arm_read_to_flow(exchange_.body_in, read_size);
  } else if (exchange_.request_body.complete && exchange_.body_in.empty()) {
    // For the next request, and to see a reset; the head's buffer is not moved.
    client.arm_read(client.in);
  }
  if (response_state_ == ResponseState::done || upstream_link_ == nullptr) return;
  Link& upstream = *upstream_link_;
  if (response_state_ == ResponseState::body && (pipe_ || may_splice_response())) {
    // While the client takes nothing, what it is owed stays where it is: in the pipe, and at the server.
    if (!client.stream->write_wait_pending() && !upstream.stream->read_wait_pending())
      upstream.stream->start_wait_readable();
    return;
  }
  if (!may_read_ahead()) {
    upstream.disarm_read(upstream.in);
    return;
  }
  const bool large = response_state_ == ResponseState::body &&
                     (exchange_.response.framing != Framing::length || response_remaining_ > read_size) &&
                     client_.worker_.buffers.has_room(large_read_size);
  if (upstream.in.empty()) {
    upstream.arm_read_to_flow(upstream.in, large ? large_read_size : read_size);
  } else {
    upstream.arm_read(upstream.in, read_size,
                      2 * BufferPool::size_for(ResponseParser::head_bound(client_config().max_header_bytes)));
  }
}

// Whose patience has run out, if anybody's.
std::optional<ForwardEnd> Forward::check_deadlines() {
  const Instant now = client_.now();
  const config::Client& client = client_config();
  if (client_owed() && now - client_.link_.write_progress >= client.send_timeout)
    return ForwardEnd::client_gone;
  const bool upstream_open = upstream_link_ != nullptr && response_state_ != ResponseState::done;
  if (reading_body()) {
    if (now - body_progress_ >= client.body_timeout) return ForwardEnd::client_slow;
    if (now - rate_window_ >= rate_window) {
      // As it came over the wire: extensions and trailers that drip are no pause.
      const std::uint64_t came = client_.link_.bytes_read - rate_window_bytes_;
      const auto least =
          client.min_body_rate * static_cast<std::uint64_t>(rate_window / std::chrono::seconds(1));
      // A window in which nothing came is a pause: body_timeout's business.
      if (!first_rate_window_ && came > 0 && came < least) return ForwardEnd::client_slow;
      first_rate_window_ = false;
      rate_window_ = now;
      rate_window_bytes_ = client_.link_.bytes_read;
    }
  }
  if (upstream_open && upstream_link_->stream && upstream_link_->stream->read_wait_pending() &&
      !reading_body()) {
    const bool stream = response_state_ == ResponseState::body && exchange_.response.event_stream;
    const Duration patience = stream ? upstream_config().tunnel_timeout : upstream_config().response_timeout;
    if (now - upstream_progress_ >= patience) return ForwardEnd::upstream_slow;
  }
  return std::nullopt;
}

Instant Forward::next_deadline() const {
  const config::Client& client = client_config();
  Instant deadline = Instant::max();
  if (client_owed()) deadline = client_.link_.write_progress + client.send_timeout;
  if (pipe_ && behind_since_ != Instant::max() && response_state_ == ResponseState::body)
    deadline = std::min(deadline, behind_since_ + splice_patience);
  const bool upstream_open = upstream_link_ != nullptr && response_state_ != ResponseState::done;
  if (reading_body()) {
    deadline = std::min({deadline, body_progress_ + client.body_timeout, rate_window_ + rate_window});
  } else if (upstream_open) {
    const bool stream = response_state_ == ResponseState::body && exchange_.response.event_stream;
    deadline = std::min(deadline, upstream_progress_ + (stream ? upstream_config().tunnel_timeout
                                                               : upstream_config().response_timeout));
  }
  return deadline;
}

}  // namespace sekisho::proxy
