#include <array>
#include <cstring>
#include <optional>

#include "proxy/connection_options.hpp"
#include "proxy/field_rules.hpp"
#include "proxy/head_writer.hpp"
#include "proxy/http_text.hpp"

namespace sekisho::proxy {

namespace {

constexpr std::array<char, 512> make_hex_pairs() {
  constexpr char digits[] = "0123456789abcdef";
  std::array<char, 512> pairs{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    pairs[2 * byte] = digits[byte / 16];
    pairs[2 * byte + 1] = digits[byte % 16];
  }
  return pairs;
}

constexpr std::array<char, 512> hex_pairs = make_hex_pairs();

bool is_scheme(std::string_view value) {
  return equals_lower(value, "https") || equals_lower(value, "http") || equals_lower(value, "wss") ||
         equals_lower(value, "ws");
}

bool is_port(std::string_view value) {
  if (value.size() > 5) return false;
  const auto port = parse_decimal(value);
  return port && *port > 0 && *port <= 65535;
}

// The value of the one field `id`; nullopt where there is none, or several that could be read differently.
std::optional<std::string_view> only_value(const RequestHead& head, FieldId id) {
  std::optional<std::string_view> value;
  for (const Field& field : head.fields) {
    if (field.id != id) continue;
    if (value) return std::nullopt;
    value = field.value;
  }
  return value;
}

void append_scheme_and_port(HeadBuffer& out, const RequestHead& head, bool peer_trusted,
                            const Forwarding& forwarding) {
  std::optional<std::string_view> scheme;
  std::optional<std::string_view> port;
  if (peer_trusted) {
    scheme = only_value(head, FieldId::x_forwarded_proto);
    port = only_value(head, FieldId::x_forwarded_port);
  }
  if (!scheme || !is_scheme(*scheme)) scheme = forwarding.listener_tls ? "https" : "http";
  out.append_field("X-Forwarded-Proto", *scheme);
  if (port && is_port(*port)) {
    out.append_field("X-Forwarded-Port", *port);
  } else if (forwarding.listener_port != 0) {
    out.append("X-Forwarded-Port: ");
    out.append_number(forwarding.listener_port);
    out.append("\r\n");
  }
}

void append_request_start(HeadBuffer& out, std::int64_t start_ms) {
  const auto ms = static_cast<std::uint64_t>(start_ms < 0 ? 0 : start_ms);
  out.append("X-Request-Start: t=");
  out.append_number(ms / 1000);
  const char fraction[] = {'.',
                           static_cast<char>('0' + ms / 100 % 10),
                           static_cast<char>('0' + ms / 10 % 10),
                           static_cast<char>('0' + ms % 10),
                           '\r',
                           '\n'};
  out.append(std::string_view(fraction, sizeof fraction));
}

void append_via(HeadBuffer& out, const RequestHead& head) {
  out.append("Via: ");
  for (const Field& field : head.fields) {
    if (field.id != FieldId::via || field.value.empty()) continue;
    out.append(field.value);
    out.append(", ");
  }
  out.append(head.version >= 11 ? "1.1 sekisho\r\n" : "1.0 sekisho\r\n");
}

void append_framing(HeadBuffer& out, const Forwarding& forwarding) {
  if (forwarding.framing == Framing::chunked) {
    out.append("Transfer-Encoding: chunked\r\n");
  } else if (forwarding.framing == Framing::length) {
    out.append("Content-Length: ");
    out.append_number(forwarding.content_length);
    out.append("\r\n");
  }
}

constexpr bool is_request_id_char(char c) {
  return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z') || c == '.' || c == '_' || c == '-';
}

bool is_request_id(std::string_view value) {
  if (value.empty() || value.size() > 128) return false;
  for (const char c : value) {
    if (!is_request_id_char(c)) return false;
  }
  return true;
}

}  // namespace

void write_request_head(HeadBuffer& out, const RequestHead& head, const policy::Admission& admission,
                        const Forwarding& forwarding) {
  out.append(head.method);
  out.append(' ');
  out.append(admission.origin_target);
  out.append(" HTTP/1.1\r\n");
  out.append_field("Host", admission.authority);

  const ConnectionOptions options(head.fields);
  const bool keeps_trailer = forwarding.framing == Framing::chunked && !options.names_field("trailer");
  for (const Field& field : head.fields) {
    if (ends_before_upstream(field)) {
      if ((field.id == FieldId::upgrade && head.upgrade) || (field.id == FieldId::trailer && keeps_trailer))
        out.append_field(field.name, field.value);
    } else if (!options.names_field(field.name)) {
      out.append_field(field.name, field.value);
    }
  }
  if (head.upgrade) out.append("Connection: Upgrade\r\n");
  append_framing(out, forwarding);

  char address[46];
  const std::string_view client(address, admission.client.write(address));
  out.append_field("X-Forwarded-For", client);
  out.append_field("X-Real-IP", client);
  if (!admission.authority.empty()) out.append_field("X-Forwarded-Host", admission.authority);
  append_scheme_and_port(out, head, admission.peer_trusted, forwarding);
  out.append_field("X-Request-Id", forwarding.request_id);
  append_request_start(out, forwarding.start_ms);
  append_via(out, head);
  if (!admission.shadow_names.empty()) out.append_field("Sekisho-Shadow", admission.shadow_names);
  out.append("\r\n");
}

std::string_view choose_request_id(const RequestHead& head, const std::uint64_t (&random)[2],
                                   char (&scratch)[32]) {
  const auto given = only_value(head, FieldId::x_request_id);
  if (given && is_request_id(*given)) return *given;
  for (unsigned i = 0; i < 16; ++i) {
    const auto byte = static_cast<unsigned char>(random[i / 8] >> (56 - i % 8 * 8));
    std::memcpy(scratch + std::size_t{2} * i, hex_pairs.data() + std::size_t{2} * byte, 2);
  }
  return {scratch, sizeof scratch};
}

}  // namespace sekisho::proxy
