// One request and its response: what is known of them from the head's first byte to the log line. Pooled by
// the worker.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/block_chain.hpp"
#include "proxy/chunk_decoder.hpp"
#include "proxy/input_buffer.hpp"
#include "proxy/message_head.hpp"
#include "proxy/policy/admission.hpp"
#include "proxy/request_parser.hpp"
#include "proxy/response_parser.hpp"
#include "proxy/snapshot_ref.hpp"
#include "proxy/trailer_section.hpp"
#include "proxy/upstream_connection.hpp"

namespace sekisho::proxy {

// How far the request's body has come from the client.
struct RequestBody {
  ChunkDecoder decoder;
  std::uint64_t remaining = 0;  // of a body with a length
  std::uint64_t received = 0;   // decoded bytes so far
  bool complete = true;         // all of it has come
  bool held = true;             // all that came is still in `Exchange::body` (a second try can send it again)
  bool continue_owed = false;   // the client waits for 100 (Continue)
  bool too_large = false;       // passed max_body_bytes
  bool malformed = false;       // chunked coding broken
};

struct Exchange {
  explicit Exchange(BufferPool& pool)
      : body(pool), body_in(pool), request_trailers(pool), response_trailers(pool), heap(pool.heap()) {
    heap.took(sizeof(Exchange));
  }
  ~Exchange() { heap.freed(sizeof(Exchange)); }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  void reset();

  RequestParser request_parser;
  RequestHead head;  // views into the client link's input buffer
  bool head_parsed = false;
  SnapshotRef snapshot;
  policy::Admission admission;   // after the snapshot, whose engine its places need
  bool admitted_called = false;  // admit ran: finish must run too

  RequestBody request_body;
  BlockChain body;      // decoded bytes of the request's body, held or on their way
  InputBuffer body_in;  // body bytes are read here, since the head's buffer must not move
  TrailerSection request_trailers;

  ResponseParser response_parser;
  ResponseHead response;  // views into the upstream's input buffer, valid while its head is being handled
  TrailerSection response_trailers;
  std::unique_ptr<UpstreamConnection> upstream;
  UpstreamServer* server = nullptr;  // that of the last try; the snapshot keeps it
  bool holds_permit = false;         // of max_in_flight
  bool in_flight = false;            // counted as at the server

  // Where the request goes; once admitted.
  const Route& route() const { return snapshot->route(admission.route); }

  char request_id_space[32];
  std::string_view request_id;

  // For the log and the metrics.
  Instant started{};           // the head's first byte was seen
  std::int64_t wall_ms = 0;    // the head was complete
  unsigned status = 0;         // sent to the client
  bool from_upstream = false;  // whose answer it was
  policy::Outcome outcome = policy::Outcome::proxied;
  std::int64_t queue_us = -1;
  Instant upstream_started{};
  std::int64_t upstream_us = -1;
  bool upstream_used = false;
  std::string upstream_name;  // the server's text
  std::uint64_t body_bytes_out = 0;

  HeapUse& heap;
};

}  // namespace sekisho::proxy
