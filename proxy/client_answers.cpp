// Sekisho's own answers to a client, and how a connection ends kindly.
#include <algorithm>
#include <boost/asio/buffer.hpp>

#include "proxy/client_connection.hpp"
#include "proxy/request_body.hpp"
#include "proxy/worker.hpp"

namespace sekisho::proxy {
namespace {

constexpr std::uint64_t most_to_discard = 1024 * 1024;
constexpr Duration longest_discard = std::chrono::seconds(5);
constexpr Duration longest_linger = std::chrono::seconds(2);
constexpr Duration look_every = std::chrono::seconds(1);
constexpr std::size_t most_held_back = 32 * 1024;

}  // namespace

void ClientConnection::answer(LocalAnswer local, const policy::Admission* admission) {
  Exchange& exchange = *exchange_;
  if (over_ || last_response() || !exchange.head.keep_alive) {
    exchange.head.keep_alive = false;
    over_ = true;
  }
  local.keep_alive = !over_;
  if (exchange.head_parsed) local.client_version = exchange.head.version;
  local.head_request = exchange.head_parsed && exchange.head.method == "HEAD";
  local.prefers_json = exchange.head_parsed && prefers_json(exchange.head);
  local.date = worker_.wall_ms() / 1000;
  if (local.body.empty()) use_error_page(local);
  const AnswerMemory::Written written = worker_.answers.write(local, admission, worker_.scratch);
  exchange.status = local.status;
  exchange.from_upstream = false;
  const std::string_view given = local.head_request ? std::string_view() : local.body;
  exchange.body_bytes_out = written.text.size() - written.head + given.size();
  // A pipelined request stands in the buffer already: its answer goes out with this one.
  const bool hold = !over_ && !link_.in.empty() && link_.out.size() < most_held_back;
  if (over_) link_.stream->end_follows();
  const boost::asio::const_buffer parts[] = {boost::asio::buffer(written.text), boost::asio::buffer(given)};
  link_.send(std::span(parts).first(given.empty() ? 1 : 2), now(), hold);
}

// A page of the file's for this status, where the answer brings no body of its own.
void ClientConnection::use_error_page(LocalAnswer& local) const {
  const config::Config& config =
      exchange_->snapshot ? *exchange_->snapshot->config : *worker_.current().config;
  for (const config::ErrorPage& page : config.error_pages) {
    if (page.status != local.status) continue;
    local.body = page.body;
    local.content_type = page.content_type;
  }
}

void ClientConnection::answer_bad_head(unsigned status, policy::Outcome outcome) {
  exchange_->outcome = outcome;
  exchange_->wall_ms = worker_.wall_ms();
  over_ = true;
  LocalAnswer local;
  local.status = status;
  if (status == 503) local.retry_after = 1;
  answer(local, nullptr);
  finish();
}

// Something of ours failed (memory, a full descriptor table): this exchange ends, the worker goes on.
void ClientConnection::answer_failure() {
  exchange_->outcome = policy::Outcome::internal_error;
  over_ = true;
  if (exchange_->status == 0) {
    LocalAnswer internal;
    internal.status = 500;
    answer(internal, nullptr);
  } else {
    cut_ = true;
  }
}

void ClientConnection::answer_probe() {
  const config::BalancerProbe& probe = exchange_->snapshot->config->balancer_probe;
  const bool unready =
      worker_.draining() || (probe.require_upstream && !exchange_->snapshot->upstreams->main().can_serve());
  LocalAnswer local;
  local.status = unready ? 503 : 200;
  local.body = unready ? "unavailable\n" : "ok\n";
  local.content_type = "text/plain; charset=utf-8";
  answer(local, nullptr);
}

// Holds the refusal back: that costs the client its time and us a connection, but nothing is read or kept for
// it. Where all places are taken the answer goes at once.
Task<void> ClientConnection::tarpit() {
  if (!worker_.enter_tarpit()) co_return;
  struct Leave {
    Worker& worker;
    ~Leave() { worker.leave_tarpit(); }
  } leave{worker_};
  const Exchange& exchange = *exchange_;
  const Instant end = now() + exchange.admission.action->tarpit;
  for (;;) {
    link_.flush(now());
    link_.book_read();
    if (exchange.request_body.complete && exchange.body_in.empty()) link_.arm_read(link_.in);
    if (now() >= end || worker_.draining() || cut_ || hung_up()) co_return;
    sleep_until(std::min(end, now() + look_every));  // the drain's begin rings nobody
    co_await wakeup_;
  }
}

void ClientConnection::refuse() {
  Exchange& exchange = *exchange_;
  LocalAnswer local;
  if (exchange.outcome == policy::Outcome::bad_request) {
    local.status = 400;
    over_ = true;
    answer(local, nullptr);
    return;
  }
  const config::Action& action = *exchange.admission.action;
  if (action.kind == config::Action::Kind::close) {
    over_ = cut_once_sent_ = true;  // an answer to the request before may be queued
    return;
  }
  if (exchange.request_body.continue_owed || exchange.request_body.remaining > most_to_discard) over_ = true;
  local.status = action.status;
  if (action.body) {
    local.body = *action.body;
    local.content_type = action.content_type;
  }
  answer(local, &exchange.admission);
}

// Reads the rest of a refused request's body so that the connection can be kept; gives up past a size or a
// time.
Task<void> ClientConnection::discard_body() {
  Exchange& exchange = *exchange_;
  const Instant deadline = now() + longest_discard;
  link_.flush(now());
  for (;;) {
    pull_request_body(exchange, link_, 0);
    exchange.body.clear();
    if (exchange.request_body.complete || over_) co_return;
    if (exchange.request_body.malformed || exchange.request_body.received > most_to_discard ||
        now() >= deadline || cut_ || link_.gone() || link_.eof) {
      over_ = true;
      co_return;
    }
    link_.arm_read(exchange.body_in, BlockChain::block_size, BlockChain::block_size);
    sleep_until(deadline);
    co_await wakeup_;
    link_.book_read();
  }
}

// Sends what is queued, then a FIN, and reads until the client's own: a close with bytes unread would be a
// reset, and could take the last answer with it (RFC 9112, 9.6).
Task<void> ClientConnection::linger() {
  co_await drain_output(0);
  link_.book_read();
  if (cut_ || link_.gone()) co_return;
  if (link_.eof) {
    // By TLS the end is a message of its own (RFC 8446, 6.1); else the close is it.
    if (listener_->tls != nullptr) link_.stream->shutdown_send();
    co_return;
  }
  const Instant deadline = now() + longest_linger;
  link_.stream->shutdown_send();
  const std::uint64_t read_before = link_.bytes_read;
  while (!cut_ && !link_.gone() && !link_.eof && now() < deadline &&
         link_.bytes_read - read_before < most_to_discard) {
    link_.in.consume(link_.in.unread().size());
    link_.arm_read(link_.in, BufferPool::smallest, BufferPool::smallest);
    sleep_until(deadline);
    co_await wakeup_;
    link_.book_read();
  }
}

}  // namespace sekisho::proxy
