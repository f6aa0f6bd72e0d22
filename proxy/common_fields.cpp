#include "proxy/common_fields.hpp"

#include <chrono>
#include <cstring>

#include "proxy/write_text.hpp"

namespace sekisho::proxy {

namespace {

char* put_name(char* at, const char* names, unsigned index) {
  std::memcpy(at, names + std::size_t{3} * index, 3);
  return at + 3;
}

char* put_parameter(char* at, std::uint64_t value) {
  // The largest integer of structured fields (RFC 9651, 3.3.1).
  constexpr std::uint64_t max = 999'999'999'999'999;
  return write_decimal(at, value < max ? value : max);
}

}  // namespace

void append_status_line(HeadBuffer& out, unsigned status, std::string_view reason) {
  out.append_bounded<decimal_size + 10>([status](char* at) {
    return write_literal(write_decimal(write_literal(at, "HTTP/1.1 "), status), " ");
  });
  out.append(reason);
  out.append("\r\n");
}

namespace {

constexpr std::size_t date_size = 37;

// "Date: ", IMF-fixdate (RFC 9110, 5.6.7) and the line's end.
void write_date(std::int64_t seconds, char (&text)[date_size]) {
  using namespace std::chrono;
  const sys_seconds time{std::chrono::seconds(seconds)};
  const sys_days day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));

  char* at = put_name(write_literal(text, "Date: "), "SunMonTueWedThuFriSat", weekday(day).c_encoding());
  *at++ = ',';
  *at++ = ' ';
  at = write_two_digits(at, static_cast<unsigned>(date.day()));
  *at++ = ' ';
  at = put_name(at, "JanFebMarAprMayJunJulAugSepOctNovDec", static_cast<unsigned>(date.month()) - 1);
  *at++ = ' ';
  at = write_two_digits(at, year / 100);
  at = write_two_digits(at, year % 100);
  *at++ = ' ';
  at = write_two_digits(at, static_cast<unsigned>(clock.hours().count()));
  *at++ = ':';
  at = write_two_digits(at, static_cast<unsigned>(clock.minutes().count()));
  *at++ = ':';
  at = write_two_digits(at, static_cast<unsigned>(clock.seconds().count()));
  write_literal(at, " GMT\r\n");
}

}  // namespace

// Every answer has one, and it changes once a second: each thread keeps its last.
void append_date(HeadBuffer& out, std::int64_t seconds) {
  struct Last {
    std::int64_t seconds = -1;
    char text[date_size] = {};
  };
  thread_local Last last;
  if (last.seconds != seconds) {
    write_date(seconds, last.text);
    last.seconds = seconds;
  }
  out.append(std::string_view(last.text, sizeof last.text));
}

void append_ratelimit(HeadBuffer& out, const policy::Admission& admission) {
  if (!admission.show_ratelimit || admission.policy_name.empty()) return;
  const ratelimit::Decision& decision = admission.decision;
  out.append("RateLimit-Policy: \"");
  out.append(admission.policy_name);
  out.append_bounded<64>([&admission](char* at) {
    at = put_parameter(write_literal(at, "\";q="), admission.policy_quota);
    at = put_parameter(write_literal(at, ";w="), admission.policy_window);
    return write_literal(at, "\r\nRateLimit: \"");
  });
  out.append(admission.policy_name);
  out.append_bounded<64>([&decision](char* at) {
    at = put_parameter(write_literal(at, "\";r="), decision.admitted ? decision.remaining : 0);
    // Refused: when one more is admitted. Admitted: when the bucket is full again.
    const auto wait = decision.admitted ? decision.reset_after : decision.retry_after;
    return write_literal(put_parameter(write_literal(at, ";t="), round_up_to_seconds(wait)), "\r\n");
  });
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
