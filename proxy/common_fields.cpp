#include "proxy/common_fields.hpp"

#include <chrono>
#include <cstring>

namespace sekisho::proxy {

namespace {

char* put_two_digits(char* at, unsigned number) {
  *at++ = static_cast<char>('0' + number / 10 % 10);
  *at++ = static_cast<char>('0' + number % 10);
  return at;
}

char* put_name(char* at, const char* names, unsigned index) {
  std::memcpy(at, names + std::size_t{3} * index, 3);
  return at + 3;
}

void append_parameter(HeadBuffer& out, std::string_view name, std::uint64_t value) {
  // The largest integer of structured fields (RFC 9651, 3.3.1).
  constexpr std::uint64_t max = 999'999'999'999'999;
  out.append(name);
  out.append_number(value < max ? value : max);
}

}  // namespace

void append_status_line(HeadBuffer& out, unsigned status, std::string_view reason) {
  out.append("HTTP/1.1 ");
  out.append_number(status);
  out.append(' ');
  out.append(reason);
  out.append("\r\n");
}

namespace {

// IMF-fixdate (RFC 9110, 5.6.7).
void write_date(std::int64_t seconds, char (&text)[29]) {
  using namespace std::chrono;
  const sys_seconds time{std::chrono::seconds(seconds)};
  const sys_days day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));

  char* at = put_name(text, "SunMonTueWedThuFriSat", weekday(day).c_encoding());
  *at++ = ',';
  *at++ = ' ';
  at = put_two_digits(at, static_cast<unsigned>(date.day()));
  *at++ = ' ';
  at = put_name(at, "JanFebMarAprMayJunJulAugSepOctNovDec", static_cast<unsigned>(date.month()) - 1);
  *at++ = ' ';
  at = put_two_digits(at, year / 100);
  at = put_two_digits(at, year % 100);
  *at++ = ' ';
  at = put_two_digits(at, static_cast<unsigned>(clock.hours().count()));
  *at++ = ':';
  at = put_two_digits(at, static_cast<unsigned>(clock.minutes().count()));
  *at++ = ':';
  at = put_two_digits(at, static_cast<unsigned>(clock.seconds().count()));
  std::memcpy(at, " GMT", 4);
}

}  // namespace

// Every answer has one, and it changes once a second: each thread keeps its last.
void append_date(HeadBuffer& out, std::int64_t seconds) {
  struct Last {
    std::int64_t seconds = -1;
    char text[29] = {};
  };
  thread_local Last last;
  if (last.seconds != seconds) {
    write_date(seconds, last.text);
    last.seconds = seconds;
  }
  out.append_field("Date", std::string_view(last.text, sizeof last.text));
}

void append_ratelimit(HeadBuffer& out, const policy::Admission& admission) {
  if (!admission.show_ratelimit || admission.policy_name.empty()) return;
  const ratelimit::Decision& decision = admission.decision;
  out.append("RateLimit-Policy: \"");
  out.append(admission.policy_name);
  append_parameter(out, "\";q=", admission.policy_quota);
  append_parameter(out, ";w=", admission.policy_window);
  out.append("\r\nRateLimit: \"");
  out.append(admission.policy_name);
  append_parameter(out, "\";r=", decision.admitted ? decision.remaining : 0);
  // Refused: when one more is admitted. Admitted: when the bucket is full again.
  append_parameter(
      out, ";t=", round_up_to_seconds(decision.admitted ? decision.reset_after : decision.retry_after));
  out.append("\r\n");
}

void append_connection(HeadBuffer& out, unsigned client_version, bool keep_alive, bool upgrade) {
  if (!keep_alive) {
    out.append(upgrade ? "Connection: close, Upgrade\r\n" : "Connection: close\r\n");
  } else if (upgrade) {
    out.append("Connection: Upgrade\r\n");
  } else if (client_version < 11) {
    out.append("Connection: keep-alive\r\n");
  }
}

std::uint64_t round_up_to_seconds(ratelimit::Duration duration) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(duration).count();
  return seconds > 0 ? static_cast<std::uint64_t>(seconds) : 0;
}

}  // namespace sekisho::proxy
