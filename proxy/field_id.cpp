#include "proxy/field_id.hpp"

#include "proxy/http_text.hpp"

namespace sekisho::proxy {

policy::FieldId field_id(std::string_view name) {
  using policy::FieldId;
  const auto is = [name](std::string_view lower) { return equals_lower(name, lower); };
  switch (name.size()) {
    case 2:
      if (is("te")) return FieldId::te;
      break;
    case 3:
      if (is("via")) return FieldId::via;
      break;
    case 4:
      if (is("host")) return FieldId::host;
      if (is("date")) return FieldId::date;
      break;
    case 6:
      if (is("accept")) return FieldId::accept;
      if (is("cookie")) return FieldId::cookie;
      if (is("expect")) return FieldId::expect;
      if (is("server")) return FieldId::server;
      break;
    case 7:
      if (is("referer")) return FieldId::referer;
      if (is("upgrade")) return FieldId::upgrade;
      if (is("trailer")) return FieldId::trailer;
      break;
    case 9:
      if (is("x-real-ip")) return FieldId::x_real_ip;
      if (is("forwarded")) return FieldId::forwarded;
      break;
    case 10:
      if (is("connection")) return FieldId::connection;
      if (is("user-agent")) return FieldId::user_agent;
      if (is("keep-alive")) return FieldId::keep_alive;
      break;
    case 12:
      if (is("content-type")) return FieldId::content_type;
      if (is("x-request-id")) return FieldId::x_request_id;
      break;
    case 14:
      if (is("content-length")) return FieldId::content_length;
      break;
    case 15:
      if (is("x-forwarded-for")) return FieldId::x_forwarded_for;
      if (is("x-amzn-trace-id")) return FieldId::x_amzn_trace_id;
      break;
    case 16:
      if (is("x-forwarded-host")) return FieldId::x_forwarded_host;
      if (is("x-forwarded-port")) return FieldId::x_forwarded_port;
      if (is("proxy-connection")) return FieldId::proxy_connection;
      break;
    case 17:
      if (is("x-forwarded-proto")) return FieldId::x_forwarded_proto;
      if (is("transfer-encoding")) return FieldId::transfer_encoding;
      break;
    default:
      break;
  }
  return FieldId::other;
}

}  // namespace sekisho::proxy
