#include "tests/proxy/fault_peers.hpp"

namespace sekisho::test {

bool FaultClient::step() {
  if (over) return false;
  std::string came;
  bool changed = peer.receive(came, exchange_.client_takes) > 0;
  replies.feed(came);
  if (peer.ended()) {
    over = true;
    reset = peer.was_reset();
    if (!reset) replies.end();
    peer.close();
    return true;
  }
  if (!leaving_) ask();
  changed |= out_.send(peer);
  if (leaving_ && out_.empty() && !peer.finished()) {
    peer.finish();
    changed = true;
  }
  return changed;
}

void FaultClient::ask() {
  const std::size_t complete = replies.complete();
  if (complete > 0 && replies.messages[complete - 1].has("\r\nConnection: close\r\n")) {
    out_.drop();
    leaving_ = true;
    return;
  }
  if (complete > 0 && replies.messages[complete - 1].status() == 101) {
    talk_through_tunnel();
    return;
  }
  if (awaits_continue_ && replies.continues > 0) {
    out_.add(exchange_.requests[asked - 1].sent_body);
    awaits_continue_ = false;
  }
  if (complete == exchange_.requests.size() && out_.empty()) {
    leaving_ = true;
    return;
  }
  while (asked < exchange_.requests.size() && (exchange_.pipelined || (asked == complete && out_.empty()))) {
    ask_for_the_next();
  }
}

void FaultClient::ask_for_the_next() {
  const ScriptedRequest& request = exchange_.requests[asked++];
  out_.add(request.head);
  awaits_continue_ = request.awaits_continue;
  if (!awaits_continue_) out_.add(request.sent_body);
}

void FaultClient::talk_through_tunnel() {
  if (!std::exchange(tunnel_begun_, true)) out_.add(exchange_.tunnel.from_client);
  if (replies.tunnelled.size() >= exchange_.tunnel.from_upstream.size()) leaving_ = true;
}

bool FaultSession::step() {
  if (over) return false;
  std::string came;
  bool changed = peer.receive(came, 1 << 20) > 0;
  requests.feed(came);
  if (!closes_) answer();
  if (in_tunnel_ && peer.ended() && !peer.was_reset() && !std::exchange(said_farewell_, true)) {
    out_.add(exchange_.tunnel.farewell);
    closes_ = true;
  }
  changed |= out_.send(peer);
  const bool done = closes_ && out_.empty();
  const bool left = peer.was_reset() || (peer.ended() && !in_tunnel_);
  if (done || left) {
    peer.close();
    over = changed = true;
  }
  return changed;
}

void FaultSession::answer() {
  while (answered_ < requests.messages.size()) {
    const ReadMessage& request = requests.messages[answered_];
    const auto at = exchange_.answers.find(request.target());
    if (at == exchange_.answers.end()) {
      requests.malformed = true;
      closes_ = true;
      return;
    }
    const ScriptedAnswer& answer = at->second;
    if (!request.complete && !answer.early) return;
    if (answered_++ > 0 && answer.dies_if_reused) {
      closes_ = true;
      return;
    }
    out_.add(answer.bytes);
    if (request.has("\r\nUpgrade: ")) {
      out_.add(exchange_.tunnel.from_upstream);
      in_tunnel_ = true;
      requests.switch_protocols();
      return;
    }
    if (answer.closes) {
      closes_ = true;
      return;
    }
  }
}

}  // namespace sekisho::test
