#include "proxy/response_parser.hpp"

#include "proxy/connection_options.hpp"
#include "proxy/head_scanner.hpp"
#include "proxy/http_text.hpp"
#include "proxy/message_framing.hpp"

namespace sekisho::proxy {

namespace {

ParseResult failure(const char* reason) {
  ParseResult result;
  result.status = ParseStatus::failed;
  result.error_status = 502;
  result.reason = reason;
  return result;
}

bool is_event_stream(const std::vector<Field>& fields) {
  constexpr std::string_view type = "text/event-stream";
  for (const Field& field : fields) {
    if (field.id != FieldId::content_type || !starts_with_lower(field.value, type)) continue;
    const std::string_view rest = trim(field.value.substr(type.size()));
    if (rest.empty() || rest.front() == ';') return true;
  }
  return false;
}

// RFC 9112, 6.3: how the body is framed, given what was asked.
ParseResult interpret(ResponseHead& head, bool head_request) {
  const DeclaredFraming declared = declared_framing(head.fields, head.version);
  if (declared.error != nullptr) return failure(declared.error);
  const ConnectionOptions options(head.fields);
  if (options.error != nullptr) return failure(options.error);

  const bool interim = head.status < 200;
  const bool declares_body = declared.chunked || declared.length > 0;
  if (interim && declares_body) return failure("a 1xx response that declares a body");

  head.content_length = declared.length;
  head.keep_alive = !options.close && (head.version >= 11 || options.keep_alive);
  head.event_stream = is_event_stream(head.fields);
  if (interim || head_request || head.status == 204 || head.status == 304) {
    head.framing = Framing::none;
    // A 204 cannot declare a body (RFC 9112, 6.1; RFC 9110, 8.6). A server that says so may well send it, so
    // the connection is not used again.
    if (head.status == 204 && declares_body) head.keep_alive = false;
  } else if (declared.chunked) {
    head.framing = Framing::chunked;
  } else if (declared.has_length) {
    head.framing = Framing::length;
  } else {
    head.framing = Framing::until_close;
    head.keep_alive = false;
  }
  ParseResult result;
  result.status = ParseStatus::complete;
  return result;
}

}  // namespace

class ResponseParser::Impl {
 public:
  void set_limits(const HeadLimits& limits) { limits_ = limits; }

  void reset(std::string_view request_method) {
    head_request_ = request_method == "HEAD";
    scanner_.reset(limits_);
    failure_ = {};
  }

  ParseResult parse(std::string_view input, ResponseHead& head) {
    if (failure_.status == ParseStatus::failed) return failure_;
    const ParseResult& scanned = scanner_.scan(input);
    if (scanned.status == ParseStatus::failed) return failure_ = failure(scanned.reason);
    if (scanned.status == ParseStatus::incomplete) return scanned;

    head.version = scanner_.version();
    head.status = scanner_.status();
    head.reason = scanner_.reason(input);
    scanner_.fields(input, head.fields);
    ParseResult result = interpret(head, head_request_);
    if (result.status == ParseStatus::failed) return failure_ = result;
    result.consumed = scanned.consumed;
    return result;
  }

 private:
  HeadLimits limits_;
  HeadScanner scanner_{HeadScanner::Kind::response};
  bool head_request_ = false;
  ParseResult failure_;
};

ResponseParser::ResponseParser() : impl_(std::make_unique<Impl>()) {}
ResponseParser::~ResponseParser() = default;
void ResponseParser::set_limits(const HeadLimits& limits) {
  impl_->set_limits(limits);
}
void ResponseParser::reset(std::string_view request_method) {
  impl_->reset(request_method);
}
ParseResult ResponseParser::parse(std::string_view input, ResponseHead& head) {
  return impl_->parse(input, head);
}

}  // namespace sekisho::proxy
