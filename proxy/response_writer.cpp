#include "proxy/common_fields.hpp"
#include "proxy/connection_options.hpp"
#include "proxy/field_rules.hpp"
#include "proxy/head_writer.hpp"

namespace sekisho::proxy {

namespace {

void append_framing(HeadBuffer& out, const ResponseHead& head, const ResponseOptions& options) {
  switch (options.framing) {
    case Framing::chunked:
      out.append("Transfer-Encoding: chunked\r\n");
      return;
    case Framing::length:
      out.append("Content-Length: ");
      out.append_number(options.content_length);
      out.append("\r\n");
      return;
    case Framing::none:
      // The answer to HEAD, and 304, say how long the body would be; 1xx and 204 must not (RFC 9110, 8.6).
      if (head.status < 200 || head.status == 204) return;
      for (const Field& field : head.fields) {
        if (field.id == FieldId::content_length) out.append_field("Content-Length", field.value);
      }
      return;
    case Framing::until_close:
      return;
  }
}

}  // namespace

void write_response_head(HeadBuffer& out, const ResponseHead& head, const policy::Admission& admission,
                         const ResponseOptions& options) {
  append_status_line(out, head.status, head.reason);
  // 426 has to name what it asks for (RFC 9110, 15.5.22); elsewhere an offer to upgrade is for this hop
  // alone.
  const bool keeps_upgrade = options.upgraded || head.status == 426;
  const ConnectionOptions connection(head.fields);
  // Announces trailers, which go on where both sides' bodies have a place for them.
  const bool keeps_trailer = head.framing == Framing::chunked && options.framing == Framing::chunked &&
                             !connection.names_field("trailer");
  bool has_date = false;
  bool has_upgrade = false;
  for (const Field& field : head.fields) {
    if (ends_before_client(field)) {
      const bool upgrade = field.id == FieldId::upgrade && keeps_upgrade;
      if (!upgrade && (field.id != FieldId::trailer || !keeps_trailer)) continue;
      has_upgrade = has_upgrade || upgrade;
    } else if (connection.names_field(field.name)) {
      continue;
    }
    has_date = has_date || field.id == FieldId::date;
    out.append_field(field.name, field.value);
  }
  if (!has_date) append_date(out, options.date);
  append_ratelimit(out, admission);
  if (!options.upgraded) append_framing(out, head, options);
  // A body that ends with the connection leaves no other choice.
  const bool keep_alive = options.upgraded || (options.keep_alive && options.framing != Framing::until_close);
  append_connection(out, options.client_version, keep_alive, has_upgrade);
  out.append("\r\n");
}

void write_interim_head(HeadBuffer& out, const ResponseHead& head) {
  append_status_line(out, head.status, head.reason);
  const ConnectionOptions connection(head.fields);
  for (const Field& field : head.fields) {
    if (!ends_before_client(field) && !connection.names_field(field.name))
      out.append_field(field.name, field.value);
  }
  out.append("\r\n");
}

}  // namespace sekisho::proxy
