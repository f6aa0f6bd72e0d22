#include "proxy/exchange.hpp"

namespace sekisho::proxy {

void Exchange::reset() {
  request_parser.reset();
  head_parsed = false;
  head.keep_alive = true;
  head.last = false;
  admission.reset();
  snapshot = SnapshotRef();
  admitted_called = false;
  request_body = RequestBody{};
  body.clear();
  body_in.release();
  request_trailers.clear();
  response_trailers.clear();
  upstream.reset();
  server = nullptr;
  holds_permit = false;
  in_flight = false;
  request_id = {};
  wall_ms = 0;
  status = 0;
  from_upstream = false;
  outcome = policy::Outcome::proxied;
  queue_us = -1;
  upstream_us = -1;
  upstream_used = false;
  body_bytes_out = 0;
}

}  // namespace sekisho::proxy
