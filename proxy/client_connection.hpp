// A client's connection: reads request after request and has each answered. Life of a request:
// docs/life_of_a_request.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "config/ip_address.hpp"
#include "proxy/deadline_wheel.hpp"
#include "proxy/event_loop.hpp"
#include "proxy/exchange.hpp"
#include "proxy/head_writer.hpp"
#include "proxy/link.hpp"
#include "proxy/listener.hpp"
#include "proxy/slab_pool.hpp"
#include "proxy/task.hpp"
#include "proxy/wakeup.hpp"

namespace sekisho::proxy {

class Worker;

// One coroutine (serve) reads straight down; everything that may concern it rings its wakeup. Destroyed by
// its worker when serve is over.
class ClientConnection final : public StreamListener,
                               public DeadlineNode,
                               private EventSource,
                               public LastsAsConnection {
 public:
  // `stream` carries the connection that was accepted.
  ClientConnection(Worker& worker, Stream::Ptr stream, const AcceptedConnection& accepted);
  ~ClientConnection();

  void start();
  // Whatever happened: the coroutine looks for itself. May destroy the connection.
  void ring();
  void on_stream() override;
  void on_deadline(Instant now) override;

  // The drain is over: ends it at its next look, wherever it stands.
  void cut();
  bool in_exchange() const { return exchange_ != nullptr; }
  bool in_tunnel() const { return in_tunnel_; }
  // A tunnel's end in a drain.
  void end_tunnel_at(Instant deadline);

  std::size_t place = 0;  // in the worker's list

 private:
  friend class Forward;
  friend class Tunnel;

  // The steps, in order.
  ConnectionTask<void> serve();
  Task<bool> handshake();  // of TLS
  bool take_head();        // one that is there whole
  ConnectionTask<bool> read_head();
  void admit();  // route and admit
  bool refuse_at_once();
  Task<void> handle();  // forwards, or answers
  void end_exchange();
  void finish();

  void say_handshake_failed(const std::optional<boost::system::error_code>& result) const;
  bool request_begun();
  void begin_exchange();
  ParseResult parse_head();
  bool idle_is_over(Instant since);
  bool may_close_at_once() const;

  // Our own answers.
  void answer(LocalAnswer answer, const policy::Admission* admission);
  void use_error_page(LocalAnswer& local) const;
  void answer_bad_head(unsigned status, policy::Outcome outcome);
  void answer_probe();
  void answer_failure();
  Task<void> tarpit();
  void refuse();
  Task<void> discard_body();
  Task<void> drain_output(std::size_t down_to);
  Task<void> linger();
  Task<void> yield();
  void be_low_priority(bool low);
  void on_events(std::uint32_t) override {}  // it watches no descriptor itself
  void on_turn() override;

  // Whether a response says Connection: close whatever its request asked for.
  bool last_response() const;
  Instant now() const;
  void sleep_until(Instant deadline);
  // For a request that waits: whether its client has left. Its leaving rings, whatever is unread before it.
  bool hung_up() const;

  Worker& worker_;
  Link link_;
  Wakeup wakeup_;
  const config::IpAddress peer_;
  const std::uint16_t local_port_;
  const std::shared_ptr<const ListenerState> listener_;
  std::unique_ptr<Exchange> exchange_;
  bool served_any_ = false;
  bool over_ = false;           // no further request is read
  bool last_asked_ = false;     // the client said that its last request was the last
  bool cut_ = false;            // closed without another word
  bool cut_once_sent_ = false;  // the same, behind what is queued: a response broke off
  bool cut_by_drain_ = false;
  bool end_is_framing_ = false;  // the connection's end tells the response's: a cut has to be a reset
  bool in_tunnel_ = false;
  Instant tunnel_end_ = Instant::max();
  unsigned served_in_turn_ = 0;
  bool turned_ = false;
  ConnectionTask<void> root_;
};

}  // namespace sekisho::proxy
