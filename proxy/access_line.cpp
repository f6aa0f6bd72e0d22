#include "proxy/access_line.hpp"

#include <charconv>
#include <chrono>
#include <cstring>
#include <ctime>

#include "proxy/json_text.hpp"
#include "proxy/write_text.hpp"

namespace sekisho::proxy {
namespace {

// Appends into fixed space; past its end it remembers so and writes nothing more.
class SpanSink {
 public:
  explicit SpanSink(std::span<char> space) : at_(space.data()), end_(space.data() + space.size()) {}

  void append(const char* text, std::size_t size) {
    if (left() < size) {
      end_ = at_;
      overflowed_ = true;
      return;
    }
    std::memcpy(at_, text, size);
    at_ += size;
  }
  void append(std::string_view text) { append(text.data(), text.size()); }
  // Where up to that many bytes may be written unchecked, whose end written() takes; null where they might
  // not fit.
  char* room_for(std::size_t bound) const { return left() >= bound ? at_ : nullptr; }
  void written(char* end) { at_ = end; }
  bool overflowed() const { return overflowed_; }
  const char* end() const { return at_; }

 private:
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  char* at_;
  char* end_;
  bool overflowed_ = false;
};

// Milliseconds with three decimals.
constexpr std::size_t milliseconds_size = decimal_size + 4;
char* put_milliseconds(char* at, std::int64_t us) {
  const auto magnitude = static_cast<std::uint64_t>(us < 0 ? 0 : us);
  at = write_decimal(at, magnitude / 1000);
  const std::uint64_t rest = magnitude % 1000;
  *at++ = '.';
  *at++ = static_cast<char>('0' + rest / 100);
  return write_two_digits(at, rest % 100);
}

char* put_milliseconds_or_null(char* at, std::int64_t us) {
  return us < 0 ? write_literal(at, "null") : put_milliseconds(at, us);
}

constexpr std::size_t address_size = 46 + 2;
char* put_address_or_null(char* at, const config::IpAddress* address) {
  if (address == nullptr) return write_literal(at, "null");
  *at++ = '"';
  at += address->write(at);
  *at++ = '"';
  return at;
}

// Each piece of a line has two ways: with room for the most that it may take it is written unchecked; else,
// at the end of a ring that is nearly full, each append is checked.
template <std::size_t bound, class Write>
[[gnu::noinline]] void append_checked(SpanSink& out, Write write) {
  char text[bound];
  out.append(text, static_cast<std::size_t>(write(text) - text));
}

// What `write` puts at the place it is given, at most `bound` bytes; it returns the end.
template <std::size_t bound, class Write>
void piece(SpanSink& out, Write write) {
  if (char* at = out.room_for(bound)) {
    out.written(write(at));
  } else {
    append_checked<bound>(out, write);
  }
}

[[gnu::noinline]] void append_checked(SpanSink& out, std::string_view name, std::string_view value) {
  out.append(name);
  if (value.empty()) return out.append("null");
  append_json_string(out, value);
}

[[gnu::noinline]] char* put_escaped(char* at, std::string_view value) {
  return write_json_escaped(at, value);
}

// `,"name":value` of what anybody may have filled; null for nothing.
template <std::size_t size>
void text_or_null(SpanSink& out, const char (&name)[size], std::string_view value) {
  char* at = out.room_for(size + json_escaped_bound(value.size()));
  if (at == nullptr) return append_checked(out, std::string_view(name, size - 1), value);
  at = write_literal(at, name);
  if (value.empty()) return out.written(write_literal(at, "null"));
  *at++ = '"';
  at = put_escaped(at, value);
  *at++ = '"';
  out.written(at);
}

// The same of a value that has nothing to escape (AccessRecord says which those are).
template <std::size_t size>
void plain_or_null(SpanSink& out, const char (&name)[size], std::string_view value) {
  char* at = out.room_for(size + value.size() + 4);
  if (at == nullptr) return append_checked(out, std::string_view(name, size - 1), value);
  at = write_literal(at, name);
  if (value.empty()) return out.written(write_literal(at, "null"));
  *at++ = '"';
  std::memcpy(at, value.data(), value.size());
  at += value.size();
  *at++ = '"';
  out.written(at);
}

// "a,b" as a list; the names are [a-z0-9_-] by config.
void names(SpanSink& out, std::string_view list) {
  const char* separator = "\"";
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    out.append(separator);
    out.append(list.substr(0, comma));
    out.append("\"");
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
    separator = ",\"";
  }
}

bool same_name(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

// The configured request fields; lines of one name joined as RFC 9110, 5.3 joins them.
void headers(SpanSink& out, const RequestHead* head, const std::vector<std::string>& wanted) {
  if (wanted.empty()) return;
  out.append(",\"headers\":{");
  const char* separator = "";
  for (const std::string& name : wanted) {
    out.append(separator);
    separator = ",";
    append_json_string(out, name);
    bool found = false;
    if (head != nullptr) {
      for (const Field& field : head->fields) {
        if (!same_name(field.name, name)) continue;
        out.append(found ? ", " : ":\"");
        append_json_escaped(out, field.value);
        found = true;
      }
    }
    out.append(found ? "\"" : ":null");
  }
  out.append("}");
}

struct LoggedFields {
  std::string_view trace_id, user_agent, referer;
};

LoggedFields find_fields(const RequestHead* head) {
  LoggedFields found;
  if (head == nullptr) return found;
  for (const Field& field : head->fields) {
    switch (field.id) {
      case FieldId::x_amzn_trace_id:
        found.trace_id = field.value;
        break;
      case FieldId::user_agent:
        found.user_agent = field.value;
        break;
      case FieldId::referer:
        found.referer = field.value;
        break;
      default:
        break;
    }
  }
  return found;
}

}  // namespace

AccessLogOptions::AccessLogOptions(const config::Log& log) : enabled(log.access != "off"), query(log.query) {
  for (const config::Text& name : log.headers) headers.push_back(name.value);
  for (std::size_t i = 0; i < policy::outcome_count; ++i) {
    const auto share = log.sample.find(std::string(policy::to_string(static_cast<policy::Outcome>(i))));
    if (share != log.sample.end() && share->second < 1) sample[i] = share->second;
  }
}

std::string_view TimestampCache::format(std::int64_t wall_ms) {
  std::int64_t ms = wall_ms - second_ms_;
  if (ms < 0 || ms >= 1000) {
    begin_second(wall_ms);
    ms = wall_ms - second_ms_;
  }
  const auto digits = static_cast<std::uint64_t>(ms);
  text_[20] = static_cast<char>('0' + digits / 100);
  write_two_digits(text_.data() + 21, digits % 100);
  return {text_.data(), text_.size()};
}

void TimestampCache::begin_second(std::int64_t wall_ms) {
  const auto second = std::chrono::floor<std::chrono::seconds>(std::chrono::milliseconds(wall_ms)).count();
  const auto put = [this](std::size_t at, int value) {
    write_two_digits(text_.data() + at, static_cast<std::uint64_t>(value));
  };
  const auto seconds = static_cast<std::time_t>(second);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::memcpy(text_.data(), "0000-00-00T00:00:00.000Z", text_.size());
  put(0, (utc.tm_year + 1900) / 100);
  put(2, (utc.tm_year + 1900) % 100);
  put(5, utc.tm_mon + 1);
  put(8, utc.tm_mday);
  put(11, utc.tm_hour);
  put(14, utc.tm_min);
  put(17, utc.tm_sec);
  second_ms_ = second * 1000;
}

std::size_t format_access_line(std::span<char> space, const AccessRecord& record,
                               const AccessLogOptions& options, std::optional<double> sample,
                               TimestampCache& timestamps) {
  SpanSink out(space);
  const RequestHead* head = record.head;
  const LoggedFields fields = find_fields(head);

  // A target in absolute-form that never became origin-form may have a fragment or anything else: only the
  // first "?" counts.
  const std::size_t mark = record.target.find('?');
  const std::string_view path = record.target.substr(0, mark);
  const std::string_view query =
      mark == std::string_view::npos || !options.query ? std::string_view{} : record.target.substr(mark + 1);

  piece<128 + 2 * address_size>(out, [&](char* at) {
    at = write_literal(at, "{\"time\":\"");
    std::memcpy(at, timestamps.format(record.wall_ms).data(), TimestampCache::size);
    at = write_literal(at + TimestampCache::size, "\",\"client_ip\":");
    at = put_address_or_null(at, record.client);
    at = write_literal(at, ",\"peer_ip\":");
    return put_address_or_null(at, record.peer);
  });
  plain_or_null(out, ",\"method\":", head == nullptr ? std::string_view{} : head->method);
  text_or_null(out, ",\"host\":", record.host);
  text_or_null(out, ",\"path\":", path);
  text_or_null(out, ",\"query\":", query);
  piece<64>(out, [&](char* at) {
    at = write_literal(at, ",\"status\":");
    return write_decimal(at, record.status);
  });
  plain_or_null(out, ",\"outcome\":", policy::to_string(record.outcome));
  plain_or_null(out, ",\"limit\":", record.limit);
  if (record.shadow.empty()) {
    text_or_null(out, ",\"shadow\":[],\"key\":", record.key);
  } else {
    out.append(",\"shadow\":[");
    names(out, record.shadow);
    text_or_null(out, "],\"key\":", record.key);
  }
  piece<128 + 2 * decimal_size + 2 * milliseconds_size>(out, [&](char* at) {
    at = write_decimal(write_literal(at, ",\"bytes_in\":"), record.bytes_in);
    at = write_decimal(write_literal(at, ",\"bytes_out\":"), record.bytes_out);
    at = put_milliseconds(write_literal(at, ",\"duration_ms\":"), record.duration_us);
    return put_milliseconds_or_null(write_literal(at, ",\"queue_ms\":"), record.queue_us);
  });
  text_or_null(out, ",\"upstream\":", record.upstream);
  piece<32 + milliseconds_size>(out, [&](char* at) {
    return put_milliseconds_or_null(write_literal(at, ",\"upstream_ms\":"), record.upstream_us);
  });
  plain_or_null(out, ",\"request_id\":", record.request_id);
  text_or_null(out, ",\"trace_id\":", fields.trace_id);
  text_or_null(out, ",\"user_agent\":", fields.user_agent);
  text_or_null(out, ",\"referer\":", fields.referer);
  piece<64>(out, [&](char* at) {
    return head == nullptr       ? write_literal(at, ",\"protocol\":null")
           : head->version == 10 ? write_literal(at, ",\"protocol\":\"HTTP/1.0\"")
                                 : write_literal(at, ",\"protocol\":\"HTTP/1.1\"");
  });
  headers(out, head, options.headers);
  if (sample) {
    char share[32];
    out.append(",\"sample\":");
    out.append(share,
               static_cast<std::size_t>(std::to_chars(share, share + sizeof share, *sample).ptr - share));
  }
  out.append("}\n");
  return out.overflowed() ? 0 : static_cast<std::size_t>(out.end() - space.data());
}

}  // namespace sekisho::proxy
