#include "proxy/access_line.hpp"

#include <charconv>
#include <cstring>
#include <ctime>

#include "proxy/json_text.hpp"

namespace sekisho::proxy {
namespace {

// Appends into fixed space; past its end it remembers so and writes nothing more.
class SpanSink {
 public:
  explicit SpanSink(std::span<char> space) : at_(space.data()), end_(space.data() + space.size()) {}

  void append(const char* text, std::size_t size) {
    if (static_cast<std::size_t>(end_ - at_) < size) {
      end_ = at_;
      overflowed_ = true;
      return;
    }
    std::memcpy(at_, text, size);
    at_ += size;
  }
  void append(std::string_view text) { append(text.data(), text.size()); }
  void number(std::uint64_t number) {
    char digits[20];
    append(digits,
           static_cast<std::size_t>(std::to_chars(digits, digits + sizeof digits, number).ptr - digits));
  }
  // Milliseconds with three decimals.
  void milliseconds(std::int64_t us) {
    const auto magnitude = static_cast<std::uint64_t>(us < 0 ? 0 : us);
    number(magnitude / 1000);
    const auto rest = magnitude % 1000;
    const char fraction[] = {'.', static_cast<char>('0' + rest / 100),
                             static_cast<char>('0' + rest / 10 % 10), static_cast<char>('0' + rest % 10)};
    append(fraction, sizeof fraction);
  }
  bool overflowed() const { return overflowed_; }
  const char* end() const { return at_; }

 private:
  char* at_;
  char* end_;
  bool overflowed_ = false;
};

// Each function writes `,"name":value`.
void text(SpanSink& out, std::string_view name, std::string_view value) {
  out.append(name);
  append_json_string(out, value);
}

void text_or_null(SpanSink& out, std::string_view name, std::string_view value) {
  if (value.empty()) {
    out.append(name);
    out.append("null");
  } else {
    text(out, name, value);
  }
}

void address(SpanSink& out, std::string_view name, const config::IpAddress* value) {
  char buffer[46];
  text_or_null(out, name,
               value == nullptr ? std::string_view{} : std::string_view(buffer, value->write(buffer)));
}

void milliseconds_or_null(SpanSink& out, std::string_view name, std::int64_t us) {
  out.append(name);
  if (us < 0) {
    out.append("null");
  } else {
    out.milliseconds(us);
  }
}

// "a,b" as a list; the names are [a-z0-9_-] by config.
void names(SpanSink& out, std::string_view name, std::string_view list) {
  out.append(name);
  out.append("[");
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    append_json_string(out, list.substr(0, comma));
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
    out.append(",");
  }
  out.append("]");
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
  std::int64_t second = wall_ms / 1000;
  std::int64_t ms = wall_ms % 1000;
  if (ms < 0) {
    ms += 1000;
    --second;
  }
  const auto put = [this](std::size_t at, int value) {
    text_[at] = static_cast<char>('0' + value / 10 % 10);
    text_[at + 1] = static_cast<char>('0' + value % 10);
  };
  if (second != second_) {
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
    second_ = second;
  }
  text_[20] = static_cast<char>('0' + ms / 100);
  put(21, static_cast<int>(ms % 100));
  return {text_.data(), text_.size()};
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

  out.append("{\"time\":\"");
  out.append(timestamps.format(record.wall_ms));
  out.append("\"");
  address(out, ",\"client_ip\":", record.client);
  address(out, ",\"peer_ip\":", record.peer);
  text_or_null(out, ",\"method\":", head == nullptr ? std::string_view{} : head->method);
  text_or_null(out, ",\"host\":", record.host);
  text_or_null(out, ",\"path\":", path);
  text_or_null(out, ",\"query\":", query);
  out.append(",\"status\":");
  out.number(record.status);
  text(out, ",\"outcome\":", policy::to_string(record.outcome));
  text_or_null(out, ",\"limit\":", record.limit);
  names(out, ",\"shadow\":", record.shadow);
  text_or_null(out, ",\"key\":", record.key);
  out.append(",\"bytes_in\":");
  out.number(record.bytes_in);
  out.append(",\"bytes_out\":");
  out.number(record.bytes_out);
  out.append(",\"duration_ms\":");
  out.milliseconds(record.duration_us);
  milliseconds_or_null(out, ",\"queue_ms\":", record.queue_us);
  text_or_null(out, ",\"upstream\":", record.upstream);
  milliseconds_or_null(out, ",\"upstream_ms\":", record.upstream_us);
  text_or_null(out, ",\"request_id\":", record.request_id);
  text_or_null(out, ",\"trace_id\":", fields.trace_id);
  text_or_null(out, ",\"user_agent\":", fields.user_agent);
  text_or_null(out, ",\"referer\":", fields.referer);
  out.append(head == nullptr       ? ",\"protocol\":null"
             : head->version == 10 ? ",\"protocol\":\"HTTP/1.0\""
                                   : ",\"protocol\":\"HTTP/1.1\"");
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
