#include "proxy/client_connection.hpp"

#include <algorithm>
#include <exception>

#include "proxy/forward.hpp"
#include "proxy/request_body.hpp"
#include "proxy/worker.hpp"

namespace sekisho::proxy {
namespace {

// A connection accepted just before the listener closed has its first request on the way.
constexpr Duration first_request_in_drain = std::chrono::seconds(1);
constexpr unsigned requests_a_turn = 16;
constexpr std::size_t output_before_pause = 64 * 1024;
// A head up to this is taken whatever the buffers' total says: larger ones could be sent to spend memory.
constexpr std::size_t ordinary_head = 16 * 1024;

bool only_line_ends(std::string_view bytes) {
  return bytes.find_first_not_of("\r\n") == std::string_view::npos;
}

}  // namespace

ClientConnection::ClientConnection(Worker& worker, Stream::Ptr stream, const AcceptedConnection& accepted)
    : worker_(worker),
      link_(worker.buffers),
      peer_(accepted.peer),
      local_port_(accepted.port),
      listener_(accepted.listener),
      root_(serve()) {
  link_.stream = std::move(stream);
  link_.stream->set_listener(this);
  worker_.counters.client_idle.add();
}

ClientConnection::~ClientConnection() {
  worker_.wheel.clear(*this);
  (exchange_ ? worker_.counters.client_active : worker_.counters.client_idle).subtract();
  link_.close();
}

void ClientConnection::start() {
  root_.start();
  if (root_.done()) worker_.remove(*this);
}

void ClientConnection::ring() {
  wakeup_.ring();
  if (root_.done()) worker_.remove(*this);
}

void ClientConnection::on_stream() {
  ring();
}

void ClientConnection::on_deadline(Instant) {
  ring();
}

void ClientConnection::cut() {
  cut_ = cut_by_drain_ = true;
  ring();
}

void ClientConnection::end_tunnel_at(Instant deadline) {
  tunnel_end_ = deadline;
  ring();
}

bool ClientConnection::last_response() const {
  return worker_.draining() || listener_->shared->removed.load(std::memory_order_relaxed);
}

Instant ClientConnection::now() const {
  return worker_.now();
}

void ClientConnection::sleep_until(Instant deadline) {
  worker_.wheel.set(*this, deadline);
}

bool ClientConnection::hung_up() const {
  return link_.gone() || link_.eof || link_.stream->hung_up();
}

ConnectionTask<void> ClientConnection::serve() {
  bool ready = true;
  if (listener_->tls != nullptr) ready = co_await handshake();
  while (ready) {
    if (!take_head() && !co_await read_head()) break;
    admit();
    if (!refuse_at_once()) co_await handle();
    end_exchange();
    if (link_.out.size() > output_before_pause) co_await drain_output(output_before_pause / 2);
    if (over_ || cut_ || link_.gone()) break;
    if (++served_in_turn_ >= requests_a_turn) co_await yield();
  }
  if (exchange_) {
    worker_.give_back(std::move(exchange_));
    worker_.counters.client_active.subtract();
    worker_.counters.client_idle.add();
  }
  if (cut_once_sent_) {
    co_await drain_output(0);
    cut_ = true;
  }
  if (!cut_ && !link_.gone() && !may_close_at_once()) co_await linger();
  if (cut_ && end_is_framing_) link_.stream->reset_at_close();
  link_.close();
}

// A client that asked for the end sends nothing more (RFC 9112, 9.6), so a close need not wait for its end.
// One that did turns a close into a reset, which takes along even what waits here to go with the end
// (Stream::end_follows): so it is asked once more. By TLS the end is a message of its own.
bool ClientConnection::may_close_at_once() const {
  return last_asked_ && link_.in.empty() && link_.out.empty() && listener_->tls == nullptr &&
         link_.stream->quiet();
}

// Whether bytes of a request are there. Empty lines before it are not (RFC 9112, 2.2): some clients end a
// body with one, and are not at work on a request then.
bool ClientConnection::request_begun() {
  while (link_.in.unread().starts_with("\r\n")) link_.in.consume(2);
  return !link_.in.empty();
}

void ClientConnection::begin_exchange() {
  exchange_ = worker_.borrow_exchange();
  exchange_->started = now();
  worker_.counters.client_idle.subtract();
  worker_.counters.client_active.add();
}

// What has come of the head.
ParseResult ClientConnection::parse_head() {
  const std::string_view input = link_.in.unread();
  ParseResult result;
  result.consumed = worker_.heads.recall(input, exchange_->head);
  if (result.consumed != 0) {
    result.status = ParseStatus::complete;
  } else {
    result = exchange_->request_parser.parse(input, exchange_->head);
    if (result.status != ParseStatus::complete) return result;
    worker_.heads.note(input.substr(0, result.consumed), exchange_->head);
  }
  link_.in.consume(result.consumed);
  exchange_->head_parsed = true;
  return result;
}

// A pipelined request's head that came with the one before needs no wait, and no frame for it.
bool ClientConnection::take_head() {
  return exchange_ && !link_.in.empty() && !over_ && !cut_ && !link_.gone() &&
         parse_head().status == ParseStatus::complete;
}

// One request's head into exchange_. False when there will be none; what was owed (a 400, a 408) is then sent
// and counted.
ConnectionTask<bool> ClientConnection::read_head() {
  const Instant idle_since = now();
  for (;;) {
    link_.book_read();
    if (cut_ || link_.gone()) {
      over_ = true;
    }
    if (!over_ && (exchange_ ? !link_.in.empty() : request_begun())) {
      if (!exchange_) begin_exchange();
      const ParseResult result = parse_head();
      if (result.status == ParseStatus::complete) co_return true;
      if (result.status == ParseStatus::failed) {
        const bool large = result.error_status == 431;
        answer_bad_head(result.error_status,
                        large ? policy::Outcome::too_large : policy::Outcome::bad_request);
        co_return false;
      }
    }
    const config::Config& config = *worker_.current().config;
    if (over_ || link_.eof) {
      if (exchange_ && !only_line_ends(link_.in.unread())) {
        exchange_->outcome = cut_by_drain_ ? policy::Outcome::draining : policy::Outcome::client_abort;
        finish();
      }
      over_ = true;
      co_return false;
    }
    if (exchange_ && now() - exchange_->started >= config.client.header_timeout) {
      answer_bad_head(408, policy::Outcome::client_timeout);
      co_return false;
    }
    link_.flush(now());
    if (!exchange_ && link_.out.empty()) {
      // Waits for the first byte of a request without a buffer.
      link_.in.release();
      if (idle_is_over(idle_since)) {
        over_ = true;
        co_return false;
      }
      link_.arm_read(link_.in, BufferPool::smallest, BufferPool::smallest);
      sleep_until(idle_since + config.client.idle_timeout);
      served_in_turn_ = 0;
      co_await wakeup_;
      continue;
    }
    if (!link_.out.empty() && now() - link_.write_progress >= config.client.send_timeout) {
      over_ = cut_ = true;
      continue;
    }
    const std::size_t most = BufferPool::size_for(config.client.max_header_bytes + 1);
    if (link_.in.full() && link_.in.capacity() >= ordinary_head && !worker_.buffers.has_room(most)) {
      answer_bad_head(503, policy::Outcome::too_large);
      co_return false;
    }
    if (link_.in.full() &&
        link_.in.capacity() >= most) {  // empty lines before it took the room, or a reload lowered the bound
      answer_bad_head(431, policy::Outcome::too_large);
      co_return false;
    }
    link_.arm_read(link_.in, BufferPool::smallest, most);
    Instant deadline = exchange_ ? exchange_->started + config.client.header_timeout : Instant::max();
    if (!link_.out.empty()) deadline = std::min(deadline, link_.write_progress + config.client.send_timeout);
    sleep_until(deadline);
    served_in_turn_ = 0;
    co_await wakeup_;
  }
}

bool ClientConnection::idle_is_over(Instant since) {
  const bool closing =
      worker_.phase() == DrainPhase::closing && (served_any_ || now() - since >= first_request_in_drain);
  // A request that is in the socket's buffer already was accepted with the connection: it is served.
  return (closing && link_.stream->quiet()) || now() - since >= worker_.current().config->client.idle_timeout;
}

void ClientConnection::admit() {
  Exchange& exchange = *exchange_;
  served_any_ = true;
  exchange.snapshot = worker_.snapshot();
  exchange.wall_ms = worker_.wall_ms();
  policy::Request request;
  request.method = exchange.head.method;
  request.target = exchange.head.target;
  request.version = exchange.head.version;
  request.fields = exchange.head.fields;
  request.peer = peer_;
  request.serial = exchange.head.serial;
  exchange.snapshot->engine->admit(
      request, now(), std::chrono::system_clock::time_point(std::chrono::milliseconds(exchange.wall_ms)),
      exchange.admission);
  exchange.admitted_called = true;
  exchange.outcome = exchange.admission.outcome;
  if (!policy::is_refusal(exchange.outcome)) be_low_priority(false);
  begin_request_body(exchange);
  std::uint64_t words[2];
  worker_.random(words);
  exchange.request_id = choose_request_id(exchange.head, words, exchange.request_id_space);
}

// A refusal that neither waits nor reads on, as most, needs no frame. False: the request is handle()'s.
bool ClientConnection::refuse_at_once() {
  const Exchange& exchange = *exchange_;
  if (!policy::is_refusal(exchange.outcome) || exchange.admission.tarpit() || !exchange.request_body.complete)
    return false;
  try {
    refuse();
  } catch (const std::exception&) {
    answer_failure();
  }
  return true;
}

Task<void> ClientConnection::handle() {
  Exchange& exchange = *exchange_;
  std::exception_ptr failure;
  try {
    switch (exchange.outcome) {
      case policy::Outcome::proxied: {
        Forward forward(*this, exchange);
        co_await forward.run();
        break;
      }
      case policy::Outcome::probe:
        answer_probe();
        co_await discard_body();
        break;
      default:
        if (exchange.admission.tarpit()) co_await tarpit();
        refuse();
        if (!exchange.request_body.complete) co_await discard_body();
    }
  } catch (const std::exception&) {
    failure = std::current_exception();
  }
  if (failure) answer_failure();
}

// Settles it, and makes way for the next.
void ClientConnection::end_exchange() {
  Exchange& exchange = *exchange_;
  if (!exchange.head.keep_alive) over_ = true;
  last_asked_ = exchange.head.last && exchange.head.framing == Framing::none;
  finish();
  // The exchange's buffer goes back to the pool, and to another connection from there.
  link_.disarm_read(exchange.body_in);
  // What was read beyond the body begins the next request.
  if (!over_ && !exchange.body_in.empty()) link_.in.prepend(exchange.body_in.unread());
  if (!request_begun()) {
    worker_.give_back(std::move(exchange_));
    worker_.counters.client_active.subtract();
    worker_.counters.client_idle.add();
  } else {
    worker_.set_limits(exchange);
    exchange.reset();
    exchange.started = now();
  }
}

Task<void> ClientConnection::drain_output(std::size_t down_to) {
  while (!cut_ && !link_.gone()) {
    link_.flush(now());
    if (link_.out.size() <= down_to) co_return;
    const Instant deadline = link_.write_progress + worker_.current().config->client.send_timeout;
    if (now() >= deadline) {
      cut_ = true;
      co_return;
    }
    sleep_until(deadline);
    co_await wakeup_;
  }
}

// Lets the other connections have their turn.
Task<void> ClientConnection::yield() {
  served_in_turn_ = 0;
  turned_ = false;
  worker_.loop().defer(*this);
  while (!turned_) co_await wakeup_;
}

void ClientConnection::be_low_priority(bool low) {
  set_low_priority(low);
  link_.stream->set_low_priority(low);
}

void ClientConnection::on_turn() {
  turned_ = true;
  ring();
}

}  // namespace sekisho::proxy
