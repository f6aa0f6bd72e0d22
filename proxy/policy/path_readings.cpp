#include "proxy/policy/path_readings.hpp"

#include <algorithm>

#include "proxy/policy/ascii.hpp"
#include "proxy/policy/request_target.hpp"

namespace sekisho::policy {
namespace {

enum class Dots : std::uint8_t { resolved, kept, resolved_with_empties };

bool is_unreserved(unsigned char c) {
  const char letter = static_cast<char>(c);
  return is_alpha(letter) || is_digit(letter) || letter == '-' || letter == '.' || letter == '_' ||
         letter == '~';
}

// The byte that the escape at `at` stands for, or -1 where there is no escape.
int escape_at(std::string_view text, std::size_t at) {
  if (text[at] != '%' || at + 2 >= text.size()) return -1;
  const int high = hex_value(text[at + 1]);
  const int low = hex_value(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

// The character that "%uXXXX" at `at` stands for where that is ASCII, or -1.
int unicode_escape_at(std::string_view text, std::size_t at) {
  if (text.size() - at < 6 || text[at] != '%' || lower(text[at + 1]) != 'u') return -1;
  int value = 0;
  for (std::size_t i = at + 2; i < at + 6; ++i) {
    if (hex_value(text[i]) < 0) return -1;
    value = value * 16 + hex_value(text[i]);
  }
  return value < 0x80 ? value : -1;
}

struct Overlong {
  int character = -1;  // ASCII, or -1 where there is no overlong sequence
  std::size_t length = 0;
};

// UTF-8 of two to four bytes for what one byte can say (RFC 3629, section 10).
Overlong overlong_at(std::string_view text, std::size_t at) {
  const auto byte = [text, at](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  const auto tail = [&byte](std::size_t i) { return (byte(i) & 0xc0U) == 0x80U; };
  const auto rest = [&byte](std::size_t i) { return static_cast<int>(byte(i) & 0x3fU); };
  if ((byte(0) == 0xc0 || byte(0) == 0xc1) && tail(1))
    return {static_cast<int>(byte(0) & 1U) << 6 | rest(1), 2};
  if (byte(0) == 0xe0 && (byte(1) == 0x80 || byte(1) == 0x81) && tail(2))
    return {static_cast<int>(byte(1) & 1U) << 6 | rest(2), 3};
  if (byte(0) == 0xf0 && byte(1) == 0x80 && (byte(2) == 0x80 || byte(2) == 0x81) && tail(3))
    return {static_cast<int>(byte(2) & 1U) << 6 | rest(3), 4};
  return {};
}

enum class Keep : std::uint8_t { nothing, slash, unreserved, slash_and_unreserved };

bool keeps(Keep keep, int byte) {
  if (byte == '/') return keep == Keep::slash || keep == Keep::slash_and_unreserved;
  return (keep == Keep::unreserved || keep == Keep::slash_and_unreserved) &&
         is_unreserved(static_cast<unsigned char>(byte));
}

// Percent-decodes once, in place. A kept escape gets capital digits, as Journey gives it.
void decode(std::string& text, Keep keep, bool lax) {
  std::size_t out = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (const int byte = escape_at(text, at); byte >= 0) {
      if (keeps(keep, byte)) {
        constexpr std::string_view digits = "0123456789ABCDEF";
        text[out++] = '%';
        text[out++] = digits[static_cast<std::size_t>(byte / 16)];
        text[out++] = digits[static_cast<std::size_t>(byte % 16)];
      } else {
        text[out++] = static_cast<char>(byte);
      }
      at += 3;
    } else if (const int character = lax ? unicode_escape_at(text, at) : -1; character >= 0) {
      text[out++] = static_cast<char>(character);
      at += 6;
    } else {
      text[out++] = text[at++];
    }
  }
  text.resize(out);
}

void shorten_overlong(std::string& text) {
  std::size_t out = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Overlong overlong = overlong_at(text, at);
    if (overlong.character >= 0) {
      text[out++] = static_cast<char>(overlong.character);
      at += overlong.length;
    } else {
      text[out++] = text[at++];
    }
  }
  text.resize(out);
}

void drop_parameters(std::string& text) {
  std::size_t out = 0;
  bool dropping = false;
  for (const char c : text) {
    if (c == '/') dropping = false;
    if (c == ';') dropping = true;
    if (!dropping) text[out++] = c;
  }
  text.resize(out);
}

// Drops the last segment of `out` and the slash before it.
void pop(std::string& out) {
  const std::size_t slash = out.rfind('/');
  out.resize(slash == std::string::npos ? 0 : slash);
}

// Folds slashes and resolves dot segments of `text` into `out`, which always begins with "/".
void resolve(std::string_view text, Dots dots, std::string& out) {
  out.clear();
  if (text.starts_with('/')) text.remove_prefix(1);
  for (bool more = true; more;) {
    const std::size_t slash = text.find('/');
    const std::string_view segment = text.substr(0, slash);
    more = slash != std::string_view::npos;
    if (more) text.remove_prefix(slash + 1);
    const bool dot = dots != Dots::kept && segment == ".";
    const bool dot_dot = dots != Dots::kept && segment == "..";
    if (dot_dot) pop(out);
    if (!more && (dot || dot_dot || segment.empty())) out += '/';
    if (dot || dot_dot || (segment.empty() && (!more || dots != Dots::resolved_with_empties))) continue;
    out += '/';
    out += segment;
  }
  const auto folded =
      std::unique(out.begin(), out.end(), [](char a, char b) { return a == '/' && b == '/'; });
  out.erase(folded, out.end());
}

enum class Byte : std::uint8_t { plain, slash, dot, ambiguous };

constexpr std::array<Byte, 256> byte_of = [] {
  std::array<Byte, 256> table{};
  for (std::size_t c = 0; c < table.size(); ++c)
    if (c <= 0x20 || c >= 0x7f || c == '%' || c == '\\' || c == ';') table[c] = Byte::ambiguous;
  table['/'] = Byte::slash;
  table['.'] = Byte::dot;
  return table;
}();

bool has_dot_segment(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = text.find('/', at);
    if (end == std::string_view::npos) end = text.size();
    const std::string_view segment = text.substr(at, end - at);
    if (segment == "." || segment == "..") return true;
    at = end + 1;
  }
  return false;
}

}  // namespace

struct PathReadings::Ways {
  unsigned rounds = 1;  // of decoding; 0: once, but keeping what needed no escape
  bool slash_kept = false;
  bool backslash_is_slash = false;
  bool parameters_kept = false;
  Dots dots = Dots::resolved;
  bool lax = false;
  bool cut = false;
};

struct PathReadings::Cause {
  bool needless_escape = false;
  unsigned rounds = 1;
  bool encoded_slash = false;
  bool backslash = false;
  bool parameters = false;
  bool dots = false;
  bool double_slash = false;
  bool lax = false;
  bool cut = false;

  // Looks at what `text` says after so many rounds of decoding.
  void note(std::string_view text) {
    bool after_slash = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
      const char c = text[at];
      encoded_slash = encoded_slash || escape_at(text, at) == '/';
      backslash = backslash || c == '\\';
      parameters = parameters || c == ';';
      double_slash = double_slash || (after_slash && c == '/');
      cut = cut || c == '\0' || c == '?' || c == '#';
      lax = lax || unicode_escape_at(text, at) >= 0 || overlong_at(text, at).character >= 0;
      after_slash = c == '/';
    }
  }
};

bool PathReadings::is_clean(std::string_view path) {
  if (path.empty() || path.front() != '/') return false;
  // What follows a slash decides: a second slash or a dot may be more than itself.
  bool after_slash = false;
  for (const char c : path) {
    const Byte byte = byte_of[static_cast<unsigned char>(c)];
    if (byte == Byte::ambiguous || (after_slash && byte != Byte::plain)) return false;
    after_slash = byte == Byte::slash;
  }
  return true;
}

PathReadings::Cause PathReadings::causes_of(std::string_view path, std::string& scratch) {
  Cause cause;
  for (std::size_t at = 0; at < path.size(); ++at) {
    const int byte = escape_at(path, at);
    cause.needless_escape =
        cause.needless_escape || (byte >= 0 && is_unreserved(static_cast<unsigned char>(byte)));
  }
  scratch = path;
  cause.note(scratch);
  for (unsigned round = 1; round <= 3; ++round) {
    std::size_t escapes = 0;
    for (std::size_t at = 0; at < scratch.size(); ++at) escapes += escape_at(scratch, at) >= 0 ? 1 : 0;
    if (escapes == 0) break;
    cause.rounds = round;
    decode(scratch, Keep::nothing, false);
    cause.note(scratch);
  }
  if (cause.lax) {
    decode(scratch, Keep::nothing, true);
    shorten_overlong(scratch);
    cause.note(scratch);
  }
  // Whether a dot segment comes to light once all that can become a slash or vanish has done so.
  std::replace(scratch.begin(), scratch.end(), '\\', '/');
  cause.dots = has_dot_segment(scratch);
  scratch.resize(std::min(scratch.find_first_of(std::string_view("\0?#", 3)), scratch.size()));
  drop_parameters(scratch);
  cause.dots = cause.dots || has_dot_segment(scratch);
  return cause;
}

bool PathReadings::add(std::string_view path, const Ways& ways) {
  // Each pass over the bytes counts: decoding is what a client could make us do again and again.
  work_ += path.size();
  if (work_ > max_work) return false;
  decoded_ = path;
  if (ways.rounds == 0)
    decode(decoded_, ways.slash_kept ? Keep::slash_and_unreserved : Keep::unreserved, ways.lax);
  for (unsigned round = 0; round < ways.rounds; ++round)
    decode(decoded_, ways.slash_kept ? Keep::slash : Keep::nothing, ways.lax);
  if (ways.lax) shorten_overlong(decoded_);
  if (ways.backslash_is_slash) std::replace(decoded_.begin(), decoded_.end(), '\\', '/');
  if (ways.cut)
    decoded_.resize(std::min(decoded_.find_first_of(std::string_view("\0?#", 3)), decoded_.size()));
  if (!ways.parameters_kept) drop_parameters(decoded_);
  resolve(decoded_, ways.dots, folded_);

  const std::span<const std::string_view> known = all();
  if (std::find(known.begin(), known.end(), std::string_view(folded_)) != known.end()) return true;
  if (count_ == max_readings) return false;
  const std::size_t begin = store_.size();
  const char* const home = store_.data();
  store_ += folded_;
  if (store_.data() != home) {
    for (std::string_view& reading : std::span(readings_).first(count_))
      reading = {store_.data() + (reading.data() - home), reading.size()};
  }
  readings_[count_++] = std::string_view(store_).substr(begin);
  return true;
}

void PathReadings::vary(std::string_view path, const Cause& cause) {
  // The usual reading comes first: every loop begins with the usual choice.
  constexpr unsigned usual_first[] = {1, 0, 2, 3};
  Ways ways;
  for (const unsigned rounds : usual_first) {
    if (rounds > std::max(cause.rounds, 1U) || (rounds == 0 && !cause.needless_escape)) continue;
    ways.rounds = rounds;
    for (int parameters = 0; parameters <= (cause.parameters ? 1 : 0); ++parameters) {
      ways.parameters_kept = parameters != 0;
      for (int slash = 0; slash <= (cause.encoded_slash ? 1 : 0); ++slash) {
        ways.slash_kept = slash != 0;
        for (int backslash = 0; backslash <= (cause.backslash ? 1 : 0); ++backslash) {
          ways.backslash_is_slash = backslash != 0;
          for (int lax = 0; lax <= (cause.lax ? 1 : 0); ++lax) {
            ways.lax = lax != 0;
            for (int cut = 0; cut <= (cause.cut ? 1 : 0); ++cut) {
              ways.cut = cut != 0;
              for (const Dots dots : {Dots::resolved, Dots::kept, Dots::resolved_with_empties}) {
                if (dots != Dots::resolved && !cause.dots) continue;
                if (dots == Dots::resolved_with_empties && !cause.double_slash) continue;
                ways.dots = dots;
                if (!add(path, ways)) {
                  incomplete_ = true;
                  return;
                }
              }
            }
          }
        }
      }
    }
  }
}

std::string_view PathReadings::usual_of(std::string_view target) {
  incomplete_ = false;
  work_ = 0;
  const RequestTarget parts = read_target(target);
  count_ = 1;
  readings_[0] = target == "*" ? target : parts.path;
  if (target == "*" || is_clean(parts.path)) return usual();
  count_ = 0;
  store_.clear();
  Ways ways;
  ways.rounds = 1;
  if (!add(parts.path, ways)) readings_[0] = "/";
  count_ = 1;
  return usual();
}

void PathReadings::read(std::string_view target, const RequestTarget& parts) {
  incomplete_ = false;
  work_ = 0;
  if (is_clean(parts.path)) {
    readings_[0] = parts.path;
    count_ = 1;
    return;
  }
  if (target == "*") {  // of the server as a whole (RFC 9112, section 3.2.4)
    readings_[0] = target;
    count_ = 1;
    return;
  }
  count_ = 0;
  store_.clear();
  vary(parts.path, causes_of(parts.path, decoded_));
  if (count_ == 0) {  // beyond the bounds from the first
    readings_[0] = "/";
    count_ = 1;
  }
}

}  // namespace sekisho::policy
