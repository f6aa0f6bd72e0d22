// The response's way through relay: its head and its body, from the upstream's buffer to the client.
#include <algorithm>

#include "proxy/chunk_header.hpp"
#include "proxy/connection_options.hpp"
#include "proxy/forward.hpp"
#include "proxy/worker.hpp"

namespace sekisho::proxy {
namespace {

// Rails sends a 103 a hint, so there may be dozens; a server that sends nothing else is broken.
constexpr unsigned most_interim_responses = 100;

}  // namespace

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
    if (response_state_ == ResponseState::body && pipe_) {
      if (auto end = splice_response()) return end;
      if (pipe_ && response_state_ == ResponseState::body) return std::nullopt;
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
      if (client_.over_) client_.link_.stream->end_follows();
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
  if (done && client_.over_) client_.link_.stream->end_follows();
  if (gather.count > 0) client_.link_.send(gather.view(), client_.now());
  gather.count = 0;
  exchange_.body_bytes_out += size;
  upstream.in.consume(used);
  if (done) response_state_ = ResponseState::done;
  return std::nullopt;
}

}  // namespace sekisho::proxy
