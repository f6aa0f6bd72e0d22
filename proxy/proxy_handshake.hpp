// The PROXY header at the beginning of a connection: read before its first byte of TLS or HTTP.
#pragma once

#include <boost/intrusive/list.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/deadline_wheel.hpp"
#include "proxy/event_loop.hpp"
#include "proxy/listener.hpp"

namespace sekisho::proxy {

class Worker;

struct InHandshake;
using HandshakeHook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<InHandshake>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

// Takes the header off the socket, to its last byte and no further, and hands the connection to its worker
// with the address that it names. A peer that is no trusted proxy, or says anything else within
// client.header_timeout, is closed without a word. Keeps itself while it waits; one
// worker's.
class ProxyHandshake : public std::enable_shared_from_this<ProxyHandshake>,
                       public DeadlineNode,
                       public HandshakeHook,
                       private EventSource {
 public:
  using List = boost::intrusive::list<ProxyHandshake, boost::intrusive::base_hook<HandshakeHook>,
                                      boost::intrusive::constant_time_size<false>>;

  // Goes into `all` until it is over, which it may be on return.
  static void begin(Worker& worker, AcceptedConnection accepted, List& all);
  ~ProxyHandshake() override;

  void on_deadline(Instant now) override;
  // A drain ends it soon, or at once.
  void end_by(Instant deadline);
  void abandon();

 private:
  enum class Step : std::uint8_t { wait, done, gone, malformed };

  ProxyHandshake(Worker& worker, AcceptedConnection accepted);
  void on_events(std::uint32_t events) override;
  void go_on();
  Step take_header();
  void hand_over();
  void refuse(std::string_view why);
  void end();

  Worker& worker_;
  AcceptedConnection accepted_;
  std::shared_ptr<ProxyHandshake> self_;  // until it is over
  std::string seen_;                      // of a header that came in pieces
  Instant deadline_;
};

}  // namespace sekisho::proxy
