#include "proxy/request_body.hpp"

#include <algorithm>

namespace sekisho::proxy {
namespace {

// Takes from the front of `input` what belongs to the body; returns the bytes used up.
std::size_t take(Exchange& exchange, std::string_view input) {
  RequestBody& body = exchange.request_body;
  BlockChain& into = exchange.body;
  if (exchange.head.framing == Framing::length) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(body.remaining, input.size()));
    into.append(input.substr(0, n));
    body.remaining -= n;
    body.received += n;
    body.complete = body.remaining == 0;
    return n;
  }
  std::size_t used = 0;
  while (!body.complete && !body.malformed) {
    const ChunkDecoder::Step step = body.decoder.step(input.substr(used));
    used += step.consumed;
    exchange.request_trailers.append(step.trailers);
    if (step.status == ChunkDecoder::Status::data) {
      into.append(step.data);
      body.received += step.data.size();
    } else if (step.status == ChunkDecoder::Status::done) {
      body.complete = true;
    } else if (step.status == ChunkDecoder::Status::failed) {
      body.malformed = true;
    } else {
      break;
    }
  }
  return used;
}

}  // namespace

void begin_request_body(Exchange& exchange) {
  RequestBody& body = exchange.request_body;
  body = RequestBody{};
  body.decoder.reset();
  body.remaining = exchange.head.framing == Framing::length ? exchange.head.content_length : 0;
  body.complete = exchange.head.framing == Framing::none ||
                  (exchange.head.framing == Framing::length && body.remaining == 0);
  body.continue_owed = exchange.head.expect_continue && !body.complete;
}

void pull_request_body(Exchange& exchange, Link& client, std::size_t most, std::uint64_t max_body) {
  RequestBody& body = exchange.request_body;
  for (InputBuffer* source : {&client.in, &exchange.body_in}) {
    while (!body.complete && !body.malformed && !source->empty()) {
      if (most != 0 && exchange.body.size() >= most) return;
      body.continue_owed = false;  // it sent the body without waiting
      source->consume(take(exchange, source->unread()));
      if (max_body != 0 && body.received > max_body) {
        body.too_large = true;
        body.complete = false;  // even if all of it came at once: the answer is the same however it was cut
        return;
      }
    }
  }
}

}  // namespace sekisho::proxy
