#include "proxy/request_parser.hpp"

#include "proxy/connection_options.hpp"
#include "proxy/head_scanner.hpp"
#include "proxy/http_text.hpp"
#include "proxy/message_framing.hpp"

namespace sekisho::proxy {

namespace {

ParseResult failure(unsigned status, const char* reason) {
  ParseResult result;
  result.status = ParseStatus::failed;
  result.error_status = status;
  result.reason = reason;
  return result;
}

enum class Expectation : std::uint8_t { none, known, unknown };

Expectation expectation(const std::vector<Field>& fields) {
  Expectation result = Expectation::none;
  for (const Field& field : fields) {
    if (field.id != FieldId::expect) continue;
    std::string_view list = field.value;
    std::string_view element;
    while (next_element(list, element)) {
      if (element.empty()) continue;
      if (!equals_lower(element, "100-continue")) return Expectation::unknown;
      result = Expectation::known;
    }
  }
  return result;
}

// Whether Upgrade asks for something that may be tunnelled. Another version of HTTP or TLS may not: requests
// inside it would pass by every check here. Ignoring Upgrade is always allowed (RFC 9110, 7.8).
bool asks_for_tunnel(const std::vector<Field>& fields) {
  bool any = false;
  for (const Field& field : fields) {
    if (field.id != FieldId::upgrade) continue;
    std::string_view list = field.value;
    std::string_view element;
    while (next_element(list, element)) {
      if (element.empty()) continue;
      if (starts_with_lower(element, "h2") || starts_with_lower(element, "http") ||
          starts_with_lower(element, "tls")) {
        return false;
      }
      any = true;
    }
  }
  return any;
}

// What the fields of a well-formed head mean for this connection.
ParseResult interpret(RequestHead& head) {
  const DeclaredFraming framing = declared_framing(head.fields, head.version);
  if (framing.error != nullptr) return failure(400, framing.error);
  const ConnectionOptions options(head.fields);
  if (options.error != nullptr) return failure(400, options.error);

  head.content_length = framing.length;
  head.framing = framing.chunked ? Framing::chunked : framing.has_length ? Framing::length : Framing::none;
  const bool has_body = framing.chunked || framing.length > 0;
  head.keep_alive = !options.close && (head.version >= 11 || options.keep_alive);
  head.last = !head.keep_alive;
  head.expect_continue = false;
  if (head.version >= 11) {  // RFC 9110, 10.1.1: an HTTP/1.0 client's expectation is ignored
    const Expectation expects = expectation(head.fields);
    if (expects == Expectation::unknown) return failure(417, "an unknown expectation");
    head.expect_continue = expects == Expectation::known && has_body;
  }
  head.upgrade = options.upgrade && head.version >= 11 && !has_body && asks_for_tunnel(head.fields);
  ParseResult result;
  result.status = ParseStatus::complete;
  return result;
}

}  // namespace

class RequestParser::Impl {
 public:
  void set_limits(const HeadLimits& limits) { limits_ = limits; }

  void reset() {
    scanner_.reset(limits_);
    failure_ = {};
  }

  ParseResult parse(std::string_view input, RequestHead& head) {
    if (failure_.status == ParseStatus::failed) return failure_;
    const ParseResult& scanned = scanner_.scan(input);
    if (scanned.status != ParseStatus::complete) return scanned;

    head.method = scanner_.method(input);
    head.target = scanner_.target(input);
    head.version = scanner_.version();
    scanner_.fields(input, head.fields);
    ParseResult result = interpret(head);
    if (result.status == ParseStatus::failed) return failure_ = result;
    result.consumed = scanned.consumed;
    return result;
  }

 private:
  HeadLimits limits_;
  HeadScanner scanner_{HeadScanner::Kind::request};
  ParseResult failure_;  // of what only a whole head shows; kept, as the scanner keeps its own
};

RequestParser::RequestParser() : impl_(std::make_unique<Impl>()) {}
RequestParser::~RequestParser() = default;
void RequestParser::set_limits(const HeadLimits& limits) {
  impl_->set_limits(limits);
}
void RequestParser::reset() {
  impl_->reset();
}
ParseResult RequestParser::parse(std::string_view input, RequestHead& head) {
  return impl_->parse(input, head);
}

}  // namespace sekisho::proxy
