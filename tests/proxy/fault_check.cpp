// What must hold after any run, whatever went wrong in it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "tests/proxy/fault_run.hpp"

namespace sekisho::test {
namespace {

// Answers of ours to what can go wrong here.
bool is_error_of_ours(unsigned status) {
  return status == 408 || status == 502 || status == 504;
}

bool is_ours(const ReadMessage& reply) {
  return !reply.has("\r\nX-Origin: ");
}

}  // namespace

void FaultRun::expect(bool condition, const std::string& what) {
  if (!condition) wrong_.push_back(what);
}

bool FaultRun::client_failed() const {
  return std::ranges::any_of(plan_.faults(), [](const Fault& fault) {
    const bool client =
        fault.operation == Operation::client_read || fault.operation == Operation::client_write;
    return client && !is_harmless(fault.failure);
  });
}

bool FaultRun::harmless() const {
  return std::ranges::all_of(plan_.faults(), [](const Fault& fault) { return is_harmless(fault.failure); });
}

bool FaultRun::upstream_stalled() const {
  return std::ranges::any_of(plan_.faults(), [](const Fault& fault) {
    return fault.operation == Operation::upstream_read && fault.failure == Failure::stall;
  });
}

bool FaultRun::fin_came_early() const {
  return std::ranges::any_of(plan_.faults(), [](const Fault& fault) {
    return (fault.operation == Operation::upstream_read && fault.failure == Failure::eof) ||
           (fault.operation == Operation::upstream_write && fault.failure == Failure::broken_pipe);
  });
}

// Requests of which the proxy has read a byte.
std::size_t FaultRun::requests_begun(const FaultClient& client) const {
  std::size_t begun = 0, start = 0;
  for (const ScriptedRequest& request : exchange_.requests) {
    if (start < client.peer.connection().delivered) ++begun;
    start += request.head.size() + request.sent_body.size();
  }
  return begun;
}

void FaultRun::check() {
  check_counts();
  for (const FaultClient& client : clients_) check_answers(client);
  check_tunnel();
  if (exchange_.clients == 1) check_attempts();
  check_requests_seen();
  check_base();
}

// Every request is counted once, and so is every answer.
void FaultRun::check_counts() {
  std::size_t begun = 0, came = 0;
  for (const FaultClient& client : clients_) {
    begun += requests_begun(client);
    came += client.replies.messages.size();
  }
  if (exchange_.pipelined) {
    // Those behind the one that ended the connection are none.
    expect(counted() <= begun && counted() >= came,
           fmt::format("{} requests counted; {} read, {} answered", counted(), begun, came));
  } else {
    expect(counted() == begun, fmt::format("{} requests counted, {} read", counted(), begun));
  }
  expect(answers() >= came && answers() <= counted(),
         fmt::format("{} answers counted; {} came, to {} requests", answers(), came, counted()));
  if (client_failed()) return;
  expect(came == counted(), fmt::format("{} requests counted, {} answered to who stayed", counted(), came));
  expect(answers() == came, fmt::format("{} answers counted, {} came", answers(), came));
  check_counts_by_status();
}

void FaultRun::check_counts_by_status() {
  const proxy::Counters& counters = worker_->counters;
  std::array<std::size_t, 600> theirs{}, ours{};
  for (const FaultClient& client : clients_) {
    for (const ReadMessage& reply : client.replies.messages)
      ++(is_ours(reply) ? ours : theirs)[reply.status()];
  }
  for (std::size_t status = 0; status < ours.size(); ++status) {
    expect(counters.responses_sekisho[status].get() == ours[status] &&
               counters.responses_upstream[status].get() == theirs[status],
           fmt::format("answers of {} are not counted as they came", status));
  }
}

void FaultRun::check_answers(const FaultClient& client) {
  expect(!client.replies.malformed, "a client got what is no HTTP");
  const std::size_t count = client.replies.messages.size();
  expect(count <= exchange_.requests.size(), "more answers than requests");
  for (std::size_t i = 0; i < std::min(count, exchange_.requests.size()); ++i) {
    check_answer(client.replies.messages[i], exchange_.requests[i]);
  }
  if (harmless() && !exchange_.races) {
    expect(count == exchange_.requests.size(), "not every request was answered, and nothing went wrong");
  }
}

// A whole and right response, or a whole error of ours, or a connection that ended before it was whole.
void FaultRun::check_answer(const ReadMessage& reply, const ScriptedRequest& request) {
  const bool as_planned = reply.status() == request.status;
  if (harmless() && !exchange_.races) {
    expect(as_planned && reply.complete, "an answer is not as if nothing had happened");
  }
  if (is_ours(reply)) {
    const bool queue_full = reply.status() == 503 && exchange_.clients > 1;
    expect(is_error_of_ours(reply.status()) || as_planned || queue_full,
           fmt::format("an answer of ours is a {}", reply.status()));
    return;
  }
  expect(reply.status() == 200 || reply.status() == 101, "the upstream said nothing of the kind");
  expect(request.answer.starts_with(reply.body), "an answer has a wrong body");
  const bool unmarked_end = exchange_.ends_by_fin && fin_came_early();
  if (reply.complete && !unmarked_end) {
    expect(reply.body == request.answer, fmt::format("an answer looks whole with {} of {} bytes",
                                                     reply.body.size(), request.answer.size()));
  }
}

void FaultRun::check_tunnel() {
  const ScriptedTunnel& tunnel = exchange_.tunnel;
  const std::string from_upstream = tunnel.from_upstream + tunnel.farewell;
  const std::string& came = clients_.front().replies.tunnelled;
  expect(from_upstream.starts_with(came), "the client got wrong bytes through the tunnel");
  std::string arrived;
  for (const FaultSession& session : sessions_) arrived += session.requests.tunnelled;
  expect(tunnel.from_client.starts_with(arrived), "the upstream got wrong bytes through the tunnel");
  if (!harmless()) return;
  expect(came == from_upstream, "the tunnel lost bytes on their way to the client");
  expect(arrived == tunnel.from_client, "the tunnel lost bytes on their way to the upstream");
}

// A request is sent again only if nothing of it was written, or if it went out on a reused connection that
// gave no byte back, is idempotent and its body is still held.
void FaultRun::check_attempts() {
  for (std::size_t i = 0; i < exchange_.requests.size(); ++i) {
    std::vector<FaultAttempt> tries;
    std::ranges::copy_if(attempts_, std::back_inserter(tries),
                         [&](const FaultAttempt& each) { return each.request == i; });
    const ScriptedRequest& request = exchange_.requests[i];
    for (std::size_t n = 0; n + 1 < tries.size(); ++n) {
      expect(
          tries[n].reused && tries[n].given_back == 0 && request.idempotent && request.held,
          fmt::format("request {} was sent again after {} bytes on a {} connection that gave {} bytes back",
                      i, tries[n].written, tries[n].reused ? "reused" : "fresh", tries[n].given_back));
    }
    expect(tries.size() <= 2, fmt::format("request {} was sent {} times", i, tries.size()));
  }
}

// What reached the upstream is what the client sent, as far as it came.
void FaultRun::check_requests_seen() {
  for (const ScriptedRequest& request : exchange_.requests) {
    std::size_t whole = 0;
    for (const FaultSession& session : sessions_) {
      for (const ReadMessage& seen : session.requests.messages) {
        if (!request.head.starts_with(seen.head.substr(0, seen.head.find(" HTTP/")))) continue;
        expect(request.body.starts_with(seen.body), "the upstream got a wrong body");
        expect(!seen.complete || seen.body == request.body, "the upstream got a body that looks whole");
        whole += seen.complete;
      }
    }
    expect(whole <= (request.idempotent ? 2 : 1) * exchange_.clients, "the upstream got a request too often");
  }
  for (const FaultSession& session : sessions_) {
    expect(!session.requests.malformed, "the upstream got what is no HTTP");
  }
}

// The clients have gone, the upstream's connections stand: all of them are in the pool.
void FaultRun::check_pooled() {
  const proxy::Counters& counters = worker_->counters;
  expect(counters.client_active.get() == 0 && counters.client_idle.get() == 0,
         "a client's connection is still counted");
  expect(counters.upstream_active.get() == 0, "an upstream connection is still counted as active");
  expect(counters.upstream_in_flight.get() == 0, "a request is still counted as in flight");
  expect(counters.tunnels_active.get() == 0, "a tunnel is still counted");
  expect(upstreams_->main().in_flight->held() == 0, "a permit of max_in_flight is not back");
  expect(upstreams_->main().in_flight->waiting() == 0, "somebody waits for a permit");
  expect(connection_permits() == counters.upstream_idle.get(),
         fmt::format("{} connection permits are out, {} connections in the pool", connection_permits(),
                     counters.upstream_idle.get()));
  for (const auto& server : upstreams_->main().servers) {
    expect(server->in_flight.load() == 0, "a request is still counted at its server");
  }
}

// All requests are one key's.
std::uint64_t FaultRun::places_taken() const {
  const policy::LimitSet& limits = states_.current();
  const auto recipe = policy::KeyRecipe::parse({{"global", {}}}, {}, nullptr);
  return limits.limits.front()->in_flight->count(recipe->key({}, limits.hasher));
}

void FaultRun::check_base() {
  expect(streams_ == 0, fmt::format("{} streams are left", streams_));
  expect(connection_permits() == 0, "a connection permit is not back");
  expect(places_taken() == 0, "a place of a limit's in_flight is not back");
  expect(worker_->counters.buffer_bytes.get() == 0,
         fmt::format("{} bytes of buffers are still held", worker_->counters.buffer_bytes.get()));
  for (const FaultSession& session : sessions_) {
    expect(session.peer.connection().stream_closed || session.peer.connection().dead,
           "a connection to the upstream stays open");
  }
}

}  // namespace sekisho::test
