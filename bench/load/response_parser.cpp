#include "bench/load/response_parser.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace sekisho::load {
namespace {

constexpr std::size_t most_line_bytes = 4096;
constexpr std::size_t status_end = std::string_view("HTTP/1.1 200").size();

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Letter case aside; `lower` is in lower case and holds letters and hyphens alone.
bool same(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() &&
         std::equal(text.begin(), text.end(), lower.begin(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
         });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

template <class Function>
void each_element(std::string_view list, Function function) {
  while (!list.empty()) {
    const std::size_t length = std::min(list.find(','), list.size());
    function(trimmed(list.substr(0, length)));
    list.remove_prefix(std::min(length + 1, list.size()));
  }
}

bool parse_number(std::string_view text, int base, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

// HTTP/1.x SP 3DIGIT [SP reason], or what may become that.
bool begins_like_response(std::string_view text) {
  constexpr std::string_view version = "HTTP/1.";
  const std::string_view begun = text.substr(0, version.size());
  if (begun != version.substr(0, begun.size())) return false;
  for (std::size_t i = version.size(); i < std::min(text.size(), status_end); ++i) {
    if (i == 8 ? text[i] != ' ' : !is_digit(text[i])) return false;
  }
  return text.size() < 10 || text[9] != '0';
}

// Behind the empty line that ends a head; npos where that has not come.
std::size_t end_of_head(std::string_view text, std::size_t from) {
  while (from < text.size()) {
    const void* found = std::memchr(text.data() + from, '\n', text.size() - from);
    if (found == nullptr) return std::string_view::npos;
    from = static_cast<std::size_t>(static_cast<const char*>(found) - text.data()) + 1;
    if (text.substr(from).starts_with("\r\n")) return from + 2;
    if (text.substr(from).starts_with("\n")) return from + 1;
  }
  return std::string_view::npos;
}

}  // namespace

void ResponseParser::reset() {
  state_ = State::head;
  partial_.clear();
}

ResponseParser::Result ResponseParser::take(std::string_view& input, bool to_head) {
  while (!input.empty()) {
    switch (state_) {
      case State::head: {
        const Result result = take_head(input, to_head);
        if (result != Result::more) return result;
        break;
      }
      case State::counted: {
        const std::size_t taken = std::min<std::uint64_t>(left_, input.size());
        input.remove_prefix(taken);
        left_ -= taken;
        if (left_ > 0) return Result::more;
        state_ = chunked_ ? State::chunk_end : State::head;
        if (!chunked_) return Result::complete;
        break;
      }
      case State::chunk_size: {
        const Result result = take_chunk_size(input);
        if (result != Result::more) return result;
        break;
      }
      case State::chunk_end: {
        std::string_view line;
        if (!take_line(input, line)) return line.empty() ? Result::more : Result::malformed;
        if (!line.empty()) return Result::malformed;
        state_ = State::chunk_size;
        break;
      }
      case State::trailer:
        return take_trailer(input);
      case State::until_close:
        input = {};
        return Result::more;
    }
  }
  return Result::more;
}

ResponseParser::Result ResponseParser::take_head(std::string_view& input, bool to_head) {
  std::string_view head;
  if (partial_.empty()) {
    const std::size_t size = end_of_head(input, 0);
    if (size == std::string_view::npos) {
      // A peer of another protocol may wait for an answer, with its line's end yet to come.
      if (input.size() > most_head_bytes || !begins_like_response(input)) return Result::malformed;
      partial_ = input;
      input = {};
      return Result::more;
    }
    head = input.substr(0, size);
    input.remove_prefix(size);
  } else {
    const std::size_t old = partial_.size();
    partial_.append(input.substr(0, most_head_bytes + 1));
    // The empty line may have begun in what came before.
    const std::size_t size = end_of_head(partial_, old < 3 ? 0 : old - 3);
    if (size == std::string_view::npos) {
      if (partial_.size() > most_head_bytes || (old < status_end && !begins_like_response(partial_)))
        return Result::malformed;
      input = {};
      return Result::more;
    }
    input.remove_prefix(size - old);
    whole_.assign(partial_, 0, size);
    partial_.clear();
    head = whole_;
  }
  if (!read_head(head, to_head)) return Result::malformed;
  return state_ == State::head && status_ >= 200 ? Result::complete
         : status_ == 101                        ? Result::complete
                                                 : Result::more;
}

// Sets the state that follows: head where there is no body.
bool ResponseParser::read_head(std::string_view head, bool to_head) {
  const auto next_line = [&head] {
    const std::size_t size = head.find('\n');
    std::string_view line = head.substr(0, size);
    head.remove_prefix(size + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  };
  const std::string_view first = next_line();
  if (first.size() < status_end || !begins_like_response(first) ||
      (first.size() > status_end && first[status_end] != ' '))
    return false;
  status_ = static_cast<std::uint16_t>((first[9] - '0') * 100 + (first[10] - '0') * 10 + (first[11] - '0'));
  closes_ = first[7] == '0';
  chunked_ = counted_ = coded_ = false;
  left_ = 0;
  for (std::string_view line = next_line(); !line.empty(); line = next_line()) {
    if (!read_field(line)) return false;
  }
  state_ = State::head;
  if (status_ == 101) closes_ = true;  // what follows is no HTTP
  if (to_head || status_ < 200 || status_ == 204 || status_ == 304) return true;
  if (chunked_) {
    state_ = State::chunk_size;
  } else if (coded_ || !counted_) {  // a coding other than chunked ends with the connection (RFC 9112, 6.3)
    state_ = State::until_close;
    closes_ = true;
  } else if (left_ > 0) {
    state_ = State::counted;
  }
  return true;
}

bool ResponseParser::read_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view name = line.substr(0, colon);
  // Most fields have a name of another length than these three.
  switch (name.size()) {
    case std::string_view("connection").size():
      if (!same(name, "connection")) return true;
      each_element(line.substr(colon + 1), [this](std::string_view option) {
        if (same(option, "close")) closes_ = true;
        if (same(option, "keep-alive")) closes_ = false;
      });
      return true;
    case std::string_view("content-length").size(): {
      if (!same(name, "content-length")) return true;
      std::uint64_t length = 0;
      if (!parse_number(trimmed(line.substr(colon + 1)), 10, length)) return false;
      if (counted_ && length != left_) return false;
      counted_ = true;
      left_ = length;
      return true;
    }
    case std::string_view("transfer-encoding").size():
      if (!same(name, "transfer-encoding")) return true;
      each_element(line.substr(colon + 1), [this](std::string_view coding) {
        chunked_ = same(coding, "chunked");
        coded_ = coded_ || !coding.empty();
      });
      return true;
    default:
      return true;
  }
}

ResponseParser::Result ResponseParser::take_chunk_size(std::string_view& input) {
  std::string_view line;
  if (!take_line(input, line)) return line.empty() ? Result::more : Result::malformed;
  const std::string_view size = trimmed(line.substr(0, line.find(';')));
  if (!parse_number(size, 16, left_)) return Result::malformed;
  state_ = left_ == 0 ? State::trailer : State::counted;
  return Result::more;
}

ResponseParser::Result ResponseParser::take_trailer(std::string_view& input) {
  while (!input.empty()) {
    std::string_view line;
    if (!take_line(input, line)) return line.empty() ? Result::more : Result::malformed;
    if (line.empty()) {
      state_ = State::head;
      return Result::complete;
    }
  }
  return Result::more;
}

bool ResponseParser::take_line(std::string_view& input, std::string_view& line) {
  const std::size_t end = input.find('\n');
  const std::size_t taken = end == std::string_view::npos ? input.size() : end + 1;
  if (partial_.size() + taken > most_line_bytes) {
    line = "too long";
    return false;
  }
  if (end == std::string_view::npos || !partial_.empty()) partial_.append(input.substr(0, taken));
  if (end == std::string_view::npos) {
    input = {};
    return false;
  }
  if (partial_.empty()) {
    line = input.substr(0, end);
  } else {
    whole_.assign(partial_, 0, partial_.size() - 1);
    partial_.clear();
    line = whole_;
  }
  input.remove_prefix(taken);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return true;
}

}  // namespace sekisho::load
