#include "proxy/head_scanner.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "proxy/field_id.hpp"
#include "proxy/http_text.hpp"

namespace sekisho::proxy {

namespace {

// Longer than any registered method (IANA's longest has 17) and any that an application made up.
constexpr std::size_t max_method_size = 64;

// RFC 3986 lets no other byte stand unescaped; `#` would begin a fragment, which is never sent. What it
// forbids but browsers and scanners send (such as | and ") is left to the application, which sees it byte for
// byte.
constexpr bool is_target_char(char c) {
  return c > 0x20 && c < 0x7f && c != '#';
}

// Where the first byte of [at, end) stands that may not be in a value, or `end`. Eight at once: a byte below
// 0x20 or equal to 0x7f sets its high bit. Borrows may flag bytes above a true hit, never below one, so the
// lowest flag is true.
std::size_t skip_value(const char* bytes, std::size_t at, std::size_t end) {
  if constexpr (std::endian::native == std::endian::little) {
    constexpr std::uint64_t ones = 0x0101010101010101U;
    constexpr std::uint64_t highs = ones * 0x80;
    while (end - at >= 8) {
      std::uint64_t word;
      std::memcpy(&word, bytes + at, 8);
      const std::uint64_t del = word ^ (ones * 0x7f);
      const std::uint64_t below = (word - ones * 0x20) & ~word;
      const std::uint64_t equal = (del - ones) & ~del;
      const std::uint64_t flags = (below | equal) & highs;
      if (flags == 0) {
        at += 8;
        continue;
      }
      at += static_cast<std::size_t>(std::countr_zero(flags)) / 8;
      if (bytes[at] != '\t') return at;
      ++at;
    }
  }
  while (at < end && is_value_char(bytes[at])) ++at;
  return at;
}

const char* form_error(std::string_view method, std::string_view target) {
  if (target.front() == '/') return nullptr;
  if (target == "*") return method == "OPTIONS" ? nullptr : "the target * is for OPTIONS alone";
  std::string_view rest = target;
  if (starts_with_lower(target, "http://")) {
    rest.remove_prefix(7);
  } else if (starts_with_lower(target, "https://")) {
    rest.remove_prefix(8);
  } else {
    return "the target is neither a path nor an http URI";
  }
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  if (authority.empty() || authority.front() == ':') return "the target's host is empty";
  if (authority.find('@') != std::string_view::npos) return "the target names a user";
  return nullptr;
}

}  // namespace

void HeadScanner::reset(const HeadLimits& limits) {
  state_ = kind_ == Kind::request ? State::leading : State::version;
  limits_ = limits;
  result_ = {};
  start_ = offset_ = mark_ = method_size_ = target_size_ = 0;
  status_ = 0;
  lines_.clear();
}

void HeadScanner::fields(std::string_view input, std::vector<Field>& fields) const {
  fields.clear();
  for (const Line& line : lines_) {
    const std::string_view name = input.substr(line.name, line.name_size);
    fields.push_back({name, trim(input.substr(line.value, line.value_end - line.value)), field_id(name)});
  }
}

std::size_t HeadScanner::fail(std::size_t at, unsigned status, const char* reason) {
  result_.status = ParseStatus::failed;
  result_.error_status = status;
  result_.reason = reason;
  return at;
}

const ParseResult& HeadScanner::scan(std::string_view input) {
  while (result_.status == ParseStatus::incomplete) {
    // No byte past the bound is looked at: the verdict must not depend on how much came at once.
    const std::size_t end = std::min(input.size(), start_ + limits_.max_bytes);
    if (offset_ >= end) {
      if (offset_ - start_ >= limits_.max_bytes) fail(offset_, 431, "the head is too large");
      break;
    }
    offset_ = step(input.data(), offset_, end);
  }
  return result_;
}

std::size_t HeadScanner::step(const char* bytes, std::size_t at, std::size_t end) {
  switch (state_) {
    case State::leading:
      return scan_leading(bytes[at], at);
    case State::leading_lf:
      at = scan_lf(bytes[at], at, State::leading);
      mark_ = at;
      return at;
    case State::method:
      return scan_method(bytes, at, end);
    case State::target:
      return scan_target(bytes, at, end);
    case State::version:
      return scan_version(bytes, at, end);
    case State::status_code:
      return scan_status_code(bytes, at, end);
    case State::reason:
    case State::value:
      return scan_value(bytes, at, end);
    case State::line_lf:
      return scan_lf(bytes[at], at, State::field_start);
    case State::field_start:
      do at = scan_field_start(bytes, at, end);
      while (state_ == State::field_start && at < end && result_.status == ParseStatus::incomplete);
      return at;
    case State::name:
      return scan_name(bytes, at, end);
    case State::end_lf:
      at = scan_lf(bytes[at], at, State::done);
      if (state_ == State::done) {
        result_.status = ParseStatus::complete;
        result_.consumed = at;
      }
      return at;
    case State::done:
      break;
  }
  return at;
}

std::size_t HeadScanner::scan_leading(char c, std::size_t at) {
  if (c == '\r') {
    state_ = State::leading_lf;
    return at + 1;
  }
  start_ = at;
  state_ = State::method;
  return at;
}

std::size_t HeadScanner::scan_lf(char c, std::size_t at, State next) {
  if (c != '\n') return fail(at, 400, "a bare CR");
  state_ = next;
  return at + 1;
}

std::size_t HeadScanner::scan_method(const char* bytes, std::size_t at, std::size_t end) {
  const std::size_t bound = std::min(end, mark_ + max_method_size + 1);
  while (at < bound && is_token_char(bytes[at])) ++at;
  if (at - mark_ > max_method_size) return fail(at, 501, "the method is too long");
  if (at == end) return at;
  if (bytes[at] != ' ' || at == mark_) return fail(at, 400, "no valid method");
  const std::string_view method(bytes + mark_, at - mark_);
  if (method == "CONNECT" || method == "TRACE") return fail(at, 405, "CONNECT and TRACE are not served");
  method_size_ = method.size();
  mark_ = at + 1;
  state_ = State::target;
  return mark_;
}

std::size_t HeadScanner::scan_target(const char* bytes, std::size_t at, std::size_t end) {
  while (at < end && is_target_char(bytes[at])) ++at;
  if (at == end) return at;
  if (bytes[at] == '\r' || bytes[at] == '\n') return fail(at, 400, "a request line without a version");
  if (bytes[at] != ' ') return fail(at, 400, "an invalid byte in the target");
  if (at == mark_) return fail(at, 400, "an empty target");
  const std::string_view method(bytes + start_, method_size_);
  const std::string_view target(bytes + mark_, at - mark_);
  // The preface of HTTP/2 has its own answer, which its version gives.
  const bool preface = method == "PRI" && target == "*";
  if (const char* error = form_error(method, target); error != nullptr && !preface)
    return fail(at, 400, error);
  target_size_ = target.size();
  mark_ = at + 1;
  state_ = State::version;
  return mark_;
}

std::size_t HeadScanner::scan_version(const char* bytes, std::size_t at, std::size_t end) {
  // As nearly all requests have it.
  constexpr std::string_view usual = "HTTP/1.1\r\n";
  if (kind_ == Kind::request && at == mark_ && end - at >= usual.size() &&
      std::string_view(bytes + at, usual.size()) == usual &&
      std::string_view(bytes + start_, method_size_) != "PRI") {
    version_ = 11;
    state_ = State::field_start;
    return at + usual.size();
  }
  constexpr std::string_view pattern = "HTTP/0.0";
  for (std::size_t index = at - mark_; index < pattern.size(); ++index, ++at) {
    if (at == end) return at;
    const char expected = pattern[index];
    if (expected == '0' ? !is_digit(bytes[at]) : bytes[at] != expected)
      return fail(at, 400, "no valid HTTP version");
  }
  if (at == end) return at;
  const char c = bytes[at];
  if (c != (kind_ == Kind::request ? '\r' : ' ')) return fail(at, 400, "no valid HTTP version");
  const char major = bytes[mark_ + 5];
  const char minor = bytes[mark_ + 7];
  if (major == '0') return fail(at, 400, "HTTP/0.9 is not served");
  if (major != '1' || minor > '1') return fail(at, 505, "neither HTTP/1.0 nor HTTP/1.1");
  if (std::string_view(bytes + start_, method_size_) == "PRI")
    return fail(at, 400, "a method that HTTP/2 reserves");
  version_ = minor == '1' ? 11 : 10;
  mark_ = at + 1;
  state_ = kind_ == Kind::request ? State::line_lf : State::status_code;
  return mark_;
}

std::size_t HeadScanner::scan_status_code(const char* bytes, std::size_t at, std::size_t end) {
  for (; at < end; ++at) {
    const std::size_t index = at - mark_;
    const char c = bytes[at];
    if (index == 0 ? c < '1' || c > '5' : index < 3 ? !is_digit(c) : c != ' ')
      return fail(at, 400, "no valid status");
    if (index == 3) {
      reason_ = at + 1;
      state_ = State::reason;
      return at + 1;
    }
    status_ = status_ * 10 + static_cast<unsigned>(c - '0');
  }
  return at;
}

std::size_t HeadScanner::scan_field_start(const char* bytes, std::size_t at, std::size_t end) {
  const char c = bytes[at];
  if (c == '\r') {
    state_ = State::end_lf;
    return at + 1;
  }
  if (c == ' ' || c == '\t') return fail(at, 400, "a folded line");
  if (!is_token_char(c)) return fail(at, 400, "no valid field name");
  if (lines_.size() == limits_.max_fields) return fail(at, 431, "too many fields");
  lines_.push_back({static_cast<std::uint32_t>(at)});
  state_ = State::name;
  return scan_name(bytes, at + 1, end);
}

std::size_t HeadScanner::scan_name(const char* bytes, std::size_t at, std::size_t end) {
  while (at < end && is_token_char(bytes[at])) ++at;
  if (at == end) return at;
  if (bytes[at] != ':') return fail(at, 400, "no colon right after the field name");
  Line& line = lines_.back();
  line.name_size = static_cast<std::uint32_t>(at) - line.name;
  line.value = static_cast<std::uint32_t>(at + 1);
  state_ = State::value;
  return scan_value(bytes, at + 1, end);
}

std::size_t HeadScanner::scan_value(const char* bytes, std::size_t at, std::size_t end) {
  at = skip_value(bytes, at, end);
  if (at == end) return at;
  if (bytes[at] == '\n') return fail(at, 400, "a bare LF");
  if (bytes[at] != '\r') return fail(at, 400, "a control character");
  if (state_ == State::reason) {
    reason_end_ = at;
  } else {
    lines_.back().value_end = static_cast<std::uint32_t>(at);
  }
  state_ = State::line_lf;
  return ++at < end ? scan_lf(bytes[at], at, State::field_start) : at;
}

}  // namespace sekisho::proxy
