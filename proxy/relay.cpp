// relay: the request to the upstream and its response to the client, both at once, as far as each side takes
// them.
#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "proxy/connection_options.hpp"
#include "proxy/forward.hpp"
#include "proxy/request_body.hpp"
#include "proxy/worker.hpp"

namespace sekisho::proxy {
namespace {

constexpr std::size_t read_size = 16 * 1024;
constexpr std::size_t large_read_size = 64 * 1024;
constexpr std::size_t body_in_flight = 64 * 1024;  // of a streamed request body, between client and upstream
// Rails sends a 103 a hint, so there may be dozens; a server that sends nothing else is broken.
constexpr unsigned most_interim_responses = 100;
constexpr Duration rate_window = std::chrono::seconds(5);

std::string_view chunk_header(std::size_t size, char (&space)[20]) {
  char* end = std::to_chars(space, space + 16, size, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  return {space, static_cast<std::size_t>(end - space)};
}

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
    if (client_left()) co_return ForwardEnd::client_gone;
    if (response_state_ == ResponseState::done && client.out.empty()) co_return ForwardEnd::complete;
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

std::optional<ForwardEnd> Forward::pump_response() {
  Link& upstream = *upstream_link_;
  for (;;) {
    Gather gather;
    const std::size_t before = upstream.in.unread().size();
    const ResponseState state_before = response_state_;
    if (response_state_ == ResponseState::head) {
      if (auto end = take_response_head(gather)) return end;
      if (switching_) return std::nullopt;
    }
    if (response_state_ == ResponseState::body) {
      if (auto end = take_response_body(gather)) {
        if (gather.count > 0) exchange_.status = 0;  // its head was not sent: a 502 can be
        return end;
      }
    }
    if (response_state_ == ResponseState::done) {
      // The server is free: its connection and permit go back before a slow client has taken the rest.
      release_upstream(exchange_.response.keep_alive && request_sent_ && !trailers_sent_ &&
                       upstream.out.empty());
      end_flight();
      return std::nullopt;
    }
    const bool progressed = upstream.in.unread().size() != before || response_state_ != state_before;
    if (!progressed || upstream.in.empty()) break;
  }
  if (upstream.eof || upstream.broken) return upstream_ended();
  return std::nullopt;
}

// The server closed or failed before its response was whole.
ForwardEnd Forward::upstream_ended() const {
  return may_retry() ? ForwardEnd::retry : ForwardEnd::upstream_reset;
}

std::optional<ForwardEnd> Forward::take_response_head(Gather& gather) {
  Link& upstream = *upstream_link_;
  ResponseHead& head = exchange_.response;
  for (;;) {
    const ParseResult result = exchange_.response_parser.parse(upstream.in.unread(), head);
    if (result.status == ParseStatus::incomplete) return std::nullopt;
    if (result.status == ParseStatus::failed) return ForwardEnd::upstream_bad;
    HeadBuffer& scratch = client_.worker_.scratch;
    scratch.clear();
    if (head.status == 101) {
      const bool asked = exchange_.head.upgrade && switches_as_asked(exchange_.head.fields, head.fields);
      if (!asked || head.version < 11) return ForwardEnd::upstream_bad;
      switching_ = true;
    } else if (head.status < 200) {
      if (++interim_responses_ > most_interim_responses) return ForwardEnd::upstream_bad;
      // 1xx goes on to a client that knows of it; 100 was answered by us (RFC 9110, 15.2).
      if (exchange_.head.version == 11 && head.status != 100) {
        write_interim_head(scratch, head);
        if (scratch.overflowed()) return ForwardEnd::upstream_bad;
        client_.link_.send(scratch.view(), client_.now());
      }
      upstream.in.consume(result.consumed);
      exchange_.response_parser.reset(exchange_.head.method);
      continue;
    }

    ResponseOptions options;
    options.client_version = exchange_.head.version;
    options.date = client_.worker_.wall_ms() / 1000;
    options.upgraded = switching_;
    response_remaining_ = 0;
    switch (head.framing) {
      case Framing::none:
        client_framing_ = Framing::none;
        break;
      case Framing::length:
        client_framing_ = Framing::length;
        response_remaining_ = options.content_length = head.content_length;
        break;
      case Framing::chunked:
      case Framing::until_close:
        client_framing_ = exchange_.head.version == 11 ? Framing::chunked : Framing::until_close;
        break;
    }
    options.framing = client_framing_;
    client_.end_is_framing_ = client_framing_ == Framing::until_close;
    const bool body_owed = !exchange_.request_body.complete;
    if (client_framing_ == Framing::until_close || client_.last_response() || body_owed ||
        client_.link_.eof || !exchange_.head.keep_alive) {
      client_.over_ = true;
    }
    options.keep_alive = !client_.over_;
    write_response_head(scratch, head, exchange_.admission, options);
    exchange_.status = head.status;
    exchange_.from_upstream = true;
    upstream.in.consume(result.consumed);
    if (scratch.overflowed()) {
      exchange_.status = 0;
      return ForwardEnd::upstream_bad;
    }
    if (switching_) {
      client_.link_.send(scratch.view(), client_.now());
      return std::nullopt;
    }
    gather.add(scratch.view());
    response_decoder_.reset();
    response_trailer_rules_.reset();
    if (head.framing == Framing::chunked && client_framing_ == Framing::chunked)
      response_trailer_rules_.emplace(TrailerRules::Towards::client, head.fields);
    const bool empty =
        head.framing == Framing::none || (head.framing == Framing::length && head.content_length == 0);
    if (empty) {
      client_.link_.send(gather.view(), client_.now());
      gather.count = 0;
      response_state_ = ResponseState::done;
    } else {
      response_state_ = ResponseState::body;
    }
    return std::nullopt;
  }
}

// What has come of the body, decoded, in the client's framing, together with the head where it waits in
// `gather`: one send.
std::optional<ForwardEnd> Forward::take_response_body(Gather& gather) {
  Link& upstream = *upstream_link_;
  char space[20];
  Gather data;
  std::size_t size = 0, used = 0;
  bool done = false;
  const std::string_view input = upstream.in.unread();
  switch (exchange_.response.framing) {
    case Framing::length: {
      used = size = static_cast<std::size_t>(std::min<std::uint64_t>(response_remaining_, input.size()));
      data.add(input.substr(0, size));
      response_remaining_ -= size;
      done = response_remaining_ == 0;
      break;
    }
    case Framing::chunked: {
      while (!done && !data.nearly_full()) {
        const ChunkDecoder::Step step = response_decoder_.step(input.substr(used));
        used += step.consumed;
        if (response_trailer_rules_) exchange_.response_trailers.append(step.trailers);
        if (step.status == ChunkDecoder::Status::data) {
          data.add(step.data);
          size += step.data.size();
        } else if (step.status == ChunkDecoder::Status::done) {
          done = true;
        } else if (step.status == ChunkDecoder::Status::failed) {
          return ForwardEnd::upstream_bad;
        } else {
          break;
        }
      }
      break;
    }
    case Framing::until_close: {
      used = size = input.size();
      data.add(input);
      done = upstream.eof && !upstream.broken;
      break;
    }
    case Framing::none:
      done = true;
      break;
  }
  const bool chunked = client_framing_ == Framing::chunked;
  if (chunked && size > 0) gather.add(chunk_header(size, space));
  for (const auto& item : data.view()) {
    // The head, one chunk header and two closings leave room for all that nearly_full() lets in.
    gather.items[gather.count++] = item;
  }
  if (chunked && size > 0) gather.add("\r\n");
  if (chunked && done) {
    if (!exchange_.response_trailers.empty()) {
      // The head may still stand in the scratch that they are written to.
      client_.link_.send(gather.view(), client_.now());
      gather.count = 0;
    }
    gather.add(response_end());
  }
  if (gather.count > 0) client_.link_.send(gather.view(), client_.now());
  gather.count = 0;
  exchange_.body_bytes_out += size;
  upstream.in.consume(used);
  if (done) response_state_ = ResponseState::done;
  return std::nullopt;
}

bool Forward::wants_client_body() const {
  return streaming_ && response_state_ != ResponseState::done && !exchange_.request_body.complete &&
         upstream_link_ != nullptr && !upstream_link_->send_failed && exchange_.body_in.empty() &&
         upstream_link_->takes_more(read_size, body_in_flight);
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
  if (wants_client_body()) {
    if (!client.stream->read_pending()) exchange_.body_in.make_room_to_flow(read_size);
    client.arm_read(exchange_.body_in);
  } else if (exchange_.request_body.complete && exchange_.body_in.empty()) {
    // For the next request, and to see a reset; the head's buffer is not moved.
    client.arm_read(client.in);
  }
  if (response_state_ == ResponseState::done || upstream_link_ == nullptr) return;
  Link& upstream = *upstream_link_;
  if (upstream.stream->read_pending() || !may_read_ahead()) return;
  const bool large = response_state_ == ResponseState::body &&
                     (exchange_.response.framing != Framing::length || response_remaining_ > read_size) &&
                     client_.worker_.buffers.has_room(large_read_size);
  if (upstream.in.empty()) {
    upstream.in.make_room_to_flow(large ? large_read_size : read_size);
  } else {
    upstream.in.make_room(
        read_size, 2 * BufferPool::size_for(ResponseParser::head_bound(client_config().max_header_bytes)));
  }
  upstream.arm_read(upstream.in);
}

// Whose patience has run out, if anybody's.
std::optional<ForwardEnd> Forward::check_deadlines() {
  const Instant now = client_.now();
  const config::Client& client = client_config();
  if (!client_.link_.out.empty() && now - client_.link_.write_progress >= client.send_timeout)
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
  if (upstream_open && upstream_link_->stream && upstream_link_->stream->read_pending() && !reading_body()) {
    const bool stream = response_state_ == ResponseState::body && exchange_.response.event_stream;
    const Duration patience = stream ? upstream_config().tunnel_timeout : upstream_config().response_timeout;
    if (now - upstream_progress_ >= patience) return ForwardEnd::upstream_slow;
  }
  return std::nullopt;
}

Instant Forward::next_deadline() const {
  const config::Client& client = client_config();
  Instant deadline = Instant::max();
  if (!client_.link_.out.empty()) deadline = client_.link_.write_progress + client.send_timeout;
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
