// finish: counts, logs and settles an exchange, once, whatever happened to it.
#include "proxy/client_connection.hpp"
#include "proxy/worker.hpp"

namespace sekisho::proxy {
namespace {

// Whether the request was admitted and then lost by our own doing, so that its charges go back. A server that
// is down or a queue that is full gives nothing back: under overload the limits have to hold.
bool lost_by_us(const Exchange& exchange) {
  return !exchange.upstream_used && (exchange.outcome == policy::Outcome::internal_error ||
                                     exchange.outcome == policy::Outcome::draining);
}

}  // namespace

void ClientConnection::finish() {
  Exchange& exchange = *exchange_;
  if (exchange.admitted_called && exchange.snapshot) {
    if (lost_by_us(exchange)) exchange.snapshot->engine->refund(exchange.admission, now());
    exchange.snapshot->engine->finish(exchange.admission, exchange.from_upstream ? exchange.status : 0,
                                      now());
  }
  exchange.admission.places.clear();  // a tunnel's too
  const bool refused = policy::is_refusal(exchange.outcome);
  be_low_priority(refused);
  Counters& counters = worker_.counters;
  const auto outcome = static_cast<std::size_t>(exchange.outcome);
  counters.requests[outcome].add();
  if (exchange.status != 0) {
    (exchange.from_upstream ? counters.responses_upstream : counters.responses_sekisho)[exchange.status]
        .add();
  }
  const auto lasted = now() - exchange.started;
  if (exchange.outcome != policy::Outcome::tunnel) {
    counters.request_duration[outcome].observe_ns(static_cast<std::uint64_t>(lasted.count()));
  }
  counters.request_bytes.add(exchange.request_body.received);
  counters.response_bytes.add(exchange.body_bytes_out);
  if (exchange.outcome == policy::Outcome::probe) return;

  AccessRecord record;
  record.wall_ms = exchange.wall_ms != 0 ? exchange.wall_ms : worker_.wall_ms();
  record.peer = &peer_;
  if (exchange.head_parsed) record.head = &exchange.head;
  if (exchange.admitted_called) {
    record.client = &exchange.admission.client;
    record.host = exchange.admission.authority;
    record.target = exchange.admission.origin_target;
    record.limit = exchange.admission.limit_name;
    record.key = exchange.admission.key;
    record.shadow = exchange.admission.shadow_names;
  } else if (!worker_.current().engine->trusts(peer_)) {
    record.client = &peer_;  // else it spoke for somebody whose name could not be read
  }
  if (record.client != nullptr) {
    worker_.talkers.record(*record.client, worker_.current().config->client_ip, exchange.admission.path,
                           refused, now());
  }
  record.status = exchange.status;
  record.outcome = exchange.outcome;
  record.bytes_in = exchange.request_body.received;
  record.bytes_out = exchange.body_bytes_out;
  record.duration_us = std::chrono::duration_cast<std::chrono::microseconds>(lasted).count();
  record.queue_us = exchange.queue_us;
  record.upstream_us = exchange.upstream_us;
  if (exchange.upstream_used) record.upstream = exchange.upstream_name;
  record.request_id = exchange.request_id;
  worker_.log.write(record);
}

}  // namespace sekisho::proxy
