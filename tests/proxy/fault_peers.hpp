// The client and the upstream of a FaultExchange, played over memory streams.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "tests/proxy/fault_exchange.hpp"
#include "tests/support/memory_stream.hpp"
#include "tests/support/message_reader.hpp"

namespace sekisho::test {

// Sends bytes as the pipe takes them.
class Outbox {
 public:
  void add(std::string_view bytes) { bytes_.append(bytes); }
  void drop() { sent_ = bytes_.size(); }
  bool empty() const { return sent_ == bytes_.size(); }
  // Whether any went.
  bool send(MemoryPeer& peer) {
    const std::size_t n = empty() ? 0 : peer.send(std::string_view(bytes_).substr(sent_));
    sent_ += n;
    return n > 0;
  }

 private:
  std::string bytes_;
  std::size_t sent_ = 0;
};

// Asks for one thing after the other (or for all at once), and leaves when it has all answers or is told to.
class FaultClient {
 public:
  FaultClient(const FaultExchange& exchange, MemoryConnectionPtr connection)
      : peer(std::move(connection)), exchange_(exchange) {}

  // A turn; whether anything changed.
  bool step();

  MemoryPeer peer;
  MessageReader replies{MessageReader::Side::responses};
  std::size_t asked = 0;  // requests whose head was given to the stream
  bool over = false;      // the connection's end was seen
  bool reset = false;     // and it was a reset

 private:
  void ask();
  void ask_for_the_next();
  void talk_through_tunnel();

  const FaultExchange& exchange_;
  Outbox out_;
  bool awaits_continue_ = false;
  bool leaving_ = false;
  bool tunnel_begun_ = false;
};

// One connection to the upstream, as its server sees it.
class FaultSession {
 public:
  FaultSession(const FaultExchange& exchange, MemoryConnectionPtr connection)
      : peer(std::move(connection)), exchange_(exchange) {}

  bool step();

  MemoryPeer peer;
  MessageReader requests{MessageReader::Side::requests};
  bool over = false;

 private:
  void answer();

  const FaultExchange& exchange_;
  Outbox out_;
  std::size_t answered_ = 0;
  bool closes_ = false;
  bool in_tunnel_ = false;
  bool said_farewell_ = false;
};

}  // namespace sekisho::test
