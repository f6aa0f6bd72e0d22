#include "proxy/forward.hpp"

#include <algorithm>

#include "proxy/request_body.hpp"
#include "proxy/tunnel.hpp"
#include "proxy/worker.hpp"

namespace sekisho::proxy {
namespace {

// When a request that `delay` holds back may go on, to the millisecond, as the wheel's slots are not. On the
// frame of the coroutine that waits: whoever stops waiting is out of the line by that.
struct Turn final : LoopTimer {
  explicit Turn(StreamListener& the_sleeper) : sleeper(the_sleeper) {}
  void on_time(Instant) override { sleeper.on_stream(); }
  StreamListener& sleeper;
};

}  // namespace

bool idempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "PUT" || method == "DELETE";
}

Forward::Forward(ClientConnection& client, Exchange& exchange) : client_(client), exchange_(exchange) {}

Forward::~Forward() {
  give_back_pipes();
  release_upstream(false);
  end_flight();
}

Task<void> Forward::run() {
  const Instant turn = client_.now() + exchange_.admission.delay;
  ForwardEnd end = exchange_.request_body.complete ? ForwardEnd::complete : co_await collect_body();
  if (end == ForwardEnd::complete && client_.now() < turn) end = co_await wait_for_turn(turn);
  for (std::uint64_t tries = 0; end == ForwardEnd::complete; ++tries) {
    if (tries > 0 || !acquire_idle()) {
      end = co_await acquire(tries > 0);
      if (end != ForwardEnd::complete) break;
    }
    end = co_await relay();
    if (end != ForwardEnd::retry) break;
    release_upstream(false);
    end_flight();
    if (tries >= upstream_config().retries) {
      end = ForwardEnd::upstream_reset;
      break;
    }
    exchange_.server->count_error(UpstreamErrorReason::reset);
    client_.worker_.counters.upstream_retries.add();
    end = ForwardEnd::complete;
  }
  if (switching_ && end == ForwardEnd::complete) {
    end_flight();
    book_upstream_time();
    Tunnel tunnel(client_, exchange_);
    co_await tunnel.run();
    co_return;
  }
  conclude(end);
}

// Takes a small body whole before a server is occupied; a large one (or a chunked one that turns out large)
// flows.
Task<ForwardEnd> Forward::collect_body() {
  RequestBody& body = exchange_.request_body;
  const std::uint64_t most = client_config().max_body_bytes;
  if (most != 0 && exchange_.head.framing == Framing::length && exchange_.head.content_length > most) {
    co_return ForwardEnd::client_too_large;
  }
  Link& link = client_.link_;
  body_progress_ = rate_window_ = client_.now();
  rate_window_bytes_ = link.bytes_read;
  const std::size_t hold = upstream_config().buffer.request;
  for (;;) {
    pull_request_body(exchange_, link, hold, most);
    if (body.malformed) co_return ForwardEnd::client_malformed;
    if (body.too_large) co_return ForwardEnd::client_too_large;
    if (body.complete) break;
    if (body.continue_owed) {
      body.continue_owed = false;
      link.send("HTTP/1.1 100 Continue\r\n\r\n", client_.now());
    }
    const bool large = exchange_.head.framing == Framing::length && exchange_.head.content_length > hold;
    if (large || exchange_.body.size() >= hold) break;
    // Past the total nothing is held: the body flows at the pace of the slower side.
    if (!client_.worker_.buffers.has_room(BlockChain::block_size)) break;
    if (client_left() || link.eof) co_return ForwardEnd::client_gone;
    if (auto late = check_deadlines()) co_return *late;
    link.arm_read(exchange_.body_in, BlockChain::block_size, BlockChain::block_size);
    // An answer to the request before may be held back for one send with this one's.
    link.flush(client_.now());
    client_.sleep_until(next_deadline());
    co_await client_.wakeup_;
    if (link.book_read()) body_progress_ = client_.now();
  }
  streaming_ = !body.complete;
  co_return ForwardEnd::complete;
}

// Above the rate of a limit with `delay`. Nothing of the upstream is held meanwhile.
Task<ForwardEnd> Forward::wait_for_turn(Instant turn) {
  Turn in_line(client_);
  client_.worker_.loop().start(in_line, turn);
  for (;;) {
    watch_client();
    if (client_.hung_up()) co_return ForwardEnd::client_gone;
    if (client_.cut_) co_return ForwardEnd::draining;
    if (client_.now() >= turn) co_return ForwardEnd::complete;
    client_.sleep_until(Instant::max());
    co_await client_.wakeup_;
  }
}

// A request that never left, or one that a connection which had served before swallowed without a byte of
// answer.
bool Forward::may_retry() const {
  const Link& link = *upstream_link_;
  if (link.bytes_written == 0) return true;
  return exchange_.upstream->reused && link.bytes_read == 0 && idempotent(exchange_.head.method) &&
         exchange_.request_body.held;
}

void Forward::conclude(ForwardEnd end) {
  const auto upstream_error = [&](UpstreamErrorReason reason) { exchange_.server->count_error(reason); };
  exchange_.outcome = policy::Outcome::upstream_error;
  switch (end) {
    case ForwardEnd::complete:
      exchange_.outcome = policy::Outcome::proxied;
      return;
    case ForwardEnd::client_gone:
      exchange_.outcome = client_.cut_by_drain_ ? policy::Outcome::draining : policy::Outcome::client_abort;
      client_.over_ = client_.cut_ = true;
      return;
    case ForwardEnd::client_slow:
      answer_failure(408, policy::Outcome::client_timeout);
      return;
    case ForwardEnd::client_malformed:
      answer_failure(400, policy::Outcome::bad_request);
      return;
    case ForwardEnd::client_too_large:
      answer_failure(413, policy::Outcome::too_large);
      return;
    case ForwardEnd::retry:
    case ForwardEnd::upstream_reset:
      upstream_error(UpstreamErrorReason::reset);
      answer_failure(502, policy::Outcome::upstream_error);
      return;
    case ForwardEnd::upstream_bad:
      upstream_error(UpstreamErrorReason::bad_response);
      answer_failure(502, policy::Outcome::upstream_error);
      return;
    case ForwardEnd::connect_failed:
      answer_failure(502, policy::Outcome::upstream_error);
      return;
    case ForwardEnd::upstream_slow:
      upstream_error(UpstreamErrorReason::timeout);
      answer_failure(504, policy::Outcome::upstream_error);
      return;
    case ForwardEnd::queue_full:
      answer_failure(503, policy::Outcome::queue_full);
      return;
    case ForwardEnd::draining:
      answer_failure(503, policy::Outcome::draining);
      return;
  }
}

// A whole answer of ours where nothing was sent yet; else the connection is cut behind what came, so that it
// cannot pass for complete.
void Forward::answer_failure(unsigned status, policy::Outcome outcome) {
  exchange_.outcome = outcome;
  if (exchange_.status != 0) {
    stop_splicing();
    client_.over_ = client_.cut_once_sent_ = true;
    return;
  }
  if (!exchange_.request_body.complete || client_.link_.eof) client_.over_ = true;
  LocalAnswer answer;
  answer.status = status;
  if (status == 503) answer.retry_after = 1;
  client_.answer(answer, nullptr);
}

}  // namespace sekisho::proxy
