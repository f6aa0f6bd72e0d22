#include "proxy/common_fields.hpp"
#include "proxy/head_writer.hpp"

namespace sekisho::proxy {

namespace {

constexpr std::string_view text_type = "text/plain; charset=utf-8";
constexpr std::string_view problem_type = "application/problem+json";
constexpr std::string_view quota_exceeded = "https://iana.org/assignments/http-problem-types#quota-exceeded";

bool is_limited(const policy::Admission* admission) {
  return admission != nullptr && admission->outcome == policy::Outcome::limited;
}

std::uint64_t retry_after(const LocalAnswer& answer, const policy::Admission* admission) {
  if (admission == nullptr || !admission->show_retry_after) return answer.retry_after;
  // Zero would invite the client to come back at once, to be refused again.
  const std::uint64_t seconds = round_up_to_seconds(admission->retry_after());
  return seconds > 0 ? seconds : 1;
}

std::string_view detail(const policy::Admission* admission) {
  if (admission == nullptr) return {};
  switch (admission->outcome) {
    case policy::Outcome::limited:
      return "Too many requests: try again after the time that Retry-After names.";
    case policy::Outcome::banned:
      return "Requests of this client are refused for a while.";
    case policy::Outcome::host_rejected:
      return "This server does not answer for the requested host.";
    default:
      return {};
  }
}

// The generated body (RFC 9457 where JSON is wanted), handed piece by piece to `put`, so that its length can
// be told first.
template <typename Put>
void generate_body(const LocalAnswer& answer, const policy::Admission* admission, Put put) {
  const char digits[] = {static_cast<char>('0' + answer.status / 100 % 10),
                         static_cast<char>('0' + answer.status / 10 % 10),
                         static_cast<char>('0' + answer.status % 10)};
  const std::string_view status(digits, sizeof digits);
  const std::string_view reason = reason_phrase(answer.status);
  if (!answer.prefers_json) {
    put(status);
    put(" ");
    put(reason);
    put("\n");
    return;
  }
  put("{\"type\":\"");
  put(is_limited(admission) ? quota_exceeded : "about:blank");
  put("\",\"title\":\"");
  put(reason);
  put("\",\"status\":");
  put(status);
  if (const std::string_view text = detail(admission); !text.empty()) {
    put(",\"detail\":\"");
    put(text);
    put("\"");
  }
  // A limit's name is [a-z0-9_-] alone: nothing in it to escape.
  if (is_limited(admission) && !admission->limit_name.empty()) {
    put(",\"violated-policies\":[\"");
    put(admission->limit_name);
    put("\"]");
  }
  put("}\n");
}

std::string_view content_type(const LocalAnswer& answer) {
  if (!answer.content_type.empty()) return answer.content_type;
  return answer.body.empty() && answer.prefers_json ? problem_type : text_type;
}

}  // namespace

void write_local_answer(HeadBuffer& out, const LocalAnswer& answer, const policy::Admission* admission) {
  append_status_line(out, answer.status);
  append_date(out, answer.date);
  out.append_field("Content-Type", content_type(answer));
  std::size_t length = answer.body.size();
  if (answer.body.empty())
    generate_body(answer, admission, [&](std::string_view piece) { length += piece.size(); });
  out.append("Content-Length: ");
  out.append_number(length);
  out.append("\r\nCache-Control: no-store\r\n");
  // RFC 9110, 15.5.6: 405 names what is allowed; only CONNECT and TRACE are never.
  if (answer.status == 405) out.append("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n");
  if (const std::uint64_t seconds = retry_after(answer, admission); seconds > 0) {
    out.append("Retry-After: ");
    out.append_number(seconds);
    out.append("\r\n");
  }
  if (admission != nullptr) append_ratelimit(out, *admission);
  append_connection(out, answer.client_version, answer.keep_alive, false);
  out.append("\r\n");
  if (!answer.head_request && answer.body.empty())
    generate_body(answer, admission, [&](std::string_view piece) { out.append(piece); });
}

}  // namespace sekisho::proxy
