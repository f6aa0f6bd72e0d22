#include "proxy/message_framing.hpp"

#include "proxy/http_text.hpp"

namespace sekisho::proxy {

namespace {

DeclaredFraming conflict(const char* error) {
  DeclaredFraming framing;
  framing.error = error;
  return framing;
}

}  // namespace

DeclaredFraming declared_framing(std::span<const Field> fields, unsigned version) {
  DeclaredFraming framing;
  for (const Field& field : fields) {
    if (field.id == FieldId::content_length) {
      if (framing.has_length) return conflict("more than one Content-Length");
      const auto length = parse_decimal(field.value);
      if (!length) return conflict("an invalid Content-Length");
      framing.has_length = true;
      framing.length = *length;
    } else if (field.id == FieldId::transfer_encoding) {
      if (framing.chunked) return conflict("more than one Transfer-Encoding");
      if (version < 11) return conflict("Transfer-Encoding in HTTP/1.0");
      if (!equals_lower(field.value, "chunked")) return conflict("a Transfer-Encoding other than chunked");
      framing.chunked = true;
    }
  }
  if (framing.chunked && framing.has_length) return conflict("both Content-Length and Transfer-Encoding");
  return framing;
}

}  // namespace sekisho::proxy
