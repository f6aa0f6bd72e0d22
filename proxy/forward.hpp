// forward: one admitted request to the upstream and its response back, retried once where that is safe.
#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <cstdint>
#include <optional>

#include "proxy/client_connection.hpp"
#include "proxy/exchange.hpp"
#include "proxy/permits.hpp"
#include "proxy/splice_pipe.hpp"
#include "proxy/task.hpp"
#include "proxy/trailer_rules.hpp"

namespace sekisho::proxy {

// Why an exchange with the upstream ended as it did, and who is to blame.
enum class ForwardEnd : std::uint8_t {
  complete,          // the response is with the client
  retry,             // nothing can have reached the application: may be sent again
  client_gone,       // it left, or the drain cut its connection
  client_slow,       // its body came too slowly: 408
  client_malformed,  // its chunked coding broke: 400
  client_too_large,  // its body passed max_body_bytes: 413
  upstream_reset,    // closed or failed before or within a response
  upstream_bad,      // an answer that is no HTTP/1.1, or ambiguous
  upstream_slow,     // response_timeout
  connect_failed,    // refused, timed out or unresolved: nothing was written
  queue_full,        // no permit to be had in time
  draining           // the drain was over before a server was had
};

// RFC 9110, 9.2.2.
bool idempotent(std::string_view method);

// Lives on the coroutine's frame for one exchange. Holds the exchange's permit and upstream connection and
// gives both back in any case.
class Forward {
 public:
  Forward(ClientConnection& client, Exchange& exchange);
  ~Forward();
  Forward(const Forward&) = delete;
  Forward& operator=(const Forward&) = delete;

  Task<void> run();

 private:
  // forward.cpp
  Task<ForwardEnd> collect_body();
  void conclude(ForwardEnd end);
  void answer_failure(unsigned status, policy::Outcome outcome);
  bool may_retry() const;
  const config::Upstream& upstream_config() const { return *exchange_.route().upstream_config; }
  const config::Client& client_config() const { return *exchange_.route().client_config; }
  bool client_left() const { return client_.cut_ || client_.link_.gone(); }

  // upstream_acquire.cpp: a permit, a server, then an idle connection to it, another worker's, or a new one.
  // `fresh`: a second try, which must not meet another connection that the server has closed.
  Task<ForwardEnd> acquire(bool fresh);
  bool acquire_idle();
  void take_up();
  Task<ForwardEnd> take_permit(Permits& permits);
  // `connection`: where what comes along with a connection's permit is put.
  Task<ForwardEnd> wait_for_turn(Instant turn);
  Task<ForwardEnd> wait_for_permit(Permits& permits, std::shared_ptr<DetachedStream>* connection = nullptr);
  bool choose_server();
  bool may_use(const UpstreamConnection& kept) const;
  bool take_idle();
  Task<ForwardEnd> connect(bool fresh);
  Task<boost::system::error_code> connect_to(const StreamEndpoint& endpoint, Instant deadline);
  void watch_client();
  void release_upstream(bool reusable);
  void book_upstream_time();
  void begin_flight();
  void end_stay();
  void end_flight();

  // relay.cpp: both directions at once.
  struct Gather {
    Gather() {
    }  // the items are written before they are read, and clearing them all costs a kilobyte each time
    union {
      std::array<boost::asio::const_buffer, 60> items;
    };
    std::size_t count = 0;
    void add(std::string_view bytes) {
      if (!bytes.empty()) items[count++] = boost::asio::const_buffer(bytes.data(), bytes.size());
    }
    bool nearly_full() const { return count + 6 > items.size(); }
    std::span<const boost::asio::const_buffer> view() const { return std::span(items).first(count); }
  };
  enum class ResponseState : std::uint8_t { head, body, done };
  // How long a client may be behind the server before its response is read into our memory.
  static constexpr Duration splice_patience = std::chrono::milliseconds(200);

  Task<ForwardEnd> relay();
  void send_request_head();
  void send_held_body();
  std::optional<ForwardEnd> pump_request();
  void arm();
  std::optional<ForwardEnd> check_deadlines();
  Instant next_deadline() const;
  bool wants_client_body() const;
  bool reading_body() const;
  void restart_clocks();
  bool may_read_ahead() const;

  // relay_response.cpp
  std::optional<ForwardEnd> pump_response();
  std::optional<ForwardEnd> take_response_head(Gather& gather);
  std::optional<ForwardEnd> take_response_body(Gather& gather);
  ForwardEnd upstream_ended() const;

  // relay_splice.cpp: large bodies of known length, from socket to socket.
  bool may_splice_response();
  std::optional<ForwardEnd> splice_response();
  void flush_pipe();
  void stop_splicing();
  bool client_owed() const { return !client_.link_.out.empty() || (pipe_ && pipe_->held() > 0); }
  bool may_splice_request();
  std::optional<ForwardEnd> splice_request();
  void give_back_pipes();

  // relay_trailers.cpp: the last chunk towards either side, in the worker's scratch where it carries
  // trailers.
  bool request_trailers_pass() const;
  std::string_view request_end();
  std::string_view response_end();

  ClientConnection& client_;
  Exchange& exchange_;
  Link* upstream_link_ = nullptr;
  std::uint64_t tried_ = 0;  // servers that could not be reached, by bit
  bool chosen_ = false;      // a server was, and not tried to connect to yet

  std::size_t held_sent_ = 0;  // bytes of the held body handed to the upstream link
  bool streaming_ = false;     // the body goes on as it comes
  bool chunked_out_ = false;   // towards the upstream
  bool request_sent_ = false;  // all of the request was handed over
  bool trailers_sent_ =
      false;  // among it trailers: the connection is not used again, see docs/rfc_choices.md
  ResponseState response_state_ = ResponseState::head;
  Framing client_framing_ = Framing::none;
  std::uint64_t response_remaining_ = 0;
  ChunkDecoder response_decoder_;
  std::optional<TrailerRules> response_trailer_rules_;  // where the client can get trailers
  unsigned interim_responses_ = 0;
  std::unique_ptr<SplicePipe> pipe_;          // while the response's body goes through it
  bool by_copy_ = false;                      // it may not, or not any more
  Instant behind_since_ = Instant::max();     // the client does not keep up with the server
  std::unique_ptr<SplicePipe> request_pipe_;  // likewise
  bool request_by_copy_ = false;
  bool switching_ = false;               // 101: becomes a tunnel
  Instant upstream_progress_{};          // a byte last went or came
  Instant body_progress_{};              // a byte of the client's body last came
  Instant rate_window_{};                // start of the running 5 s of min_body_rate
  std::uint64_t rate_window_bytes_ = 0;  // read from the client at its start
  bool first_rate_window_ = true;
  bool body_was_read_ = false;      // at the last look; what is not read has nobody to blame for its pace
  bool upstream_was_read_ = false;  // likewise
};

}  // namespace sekisho::proxy
