// What the policy may know of a request: views into the head as it was received, and who sent it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "config/ip_address.hpp"

namespace sekisho::policy {

// Fields that somebody on the request path asks for by name; the parser recognises them once.
enum class FieldId : std::uint8_t {
  other,
  accept,
  connection,
  content_length,
  content_type,
  cookie,
  date,
  expect,
  forwarded,
  host,
  keep_alive,
  proxy_connection,
  referer,
  server,
  te,
  trailer,
  transfer_encoding,
  upgrade,
  user_agent,
  via,
  x_amzn_trace_id,
  x_forwarded_for,
  x_forwarded_host,
  x_forwarded_port,
  x_forwarded_proto,
  x_real_ip,
  x_request_id,
};

struct Field {
  std::string_view name;   // as received
  std::string_view value;  // without surrounding white space
  FieldId id = FieldId::other;
};

// One request's head. Every view must outlive the call it is given to, and the Admission made of it.
struct Request {
  std::string_view method;
  std::string_view target;  // the request-target, byte for byte
  unsigned version = 11;    // 10 or 11
  std::span<const Field> fields;
  config::IpAddress peer;  // a peer on a UNIX socket is 127.0.0.1
  // Requests of the same number, of one engine, are equal in all of the above but the peer; 0: nobody knows.
  std::uint64_t serial = 0;
};

}  // namespace sekisho::policy
