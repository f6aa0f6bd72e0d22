#include "proxy/chunk_decoder.hpp"

#include <algorithm>

#include "proxy/http_text.hpp"

namespace sekisho::proxy {

void ChunkDecoder::reset() {
  *this = ChunkDecoder();
}

ChunkDecoder::Step ChunkDecoder::step(std::string_view input) {
  Step result;
  while (result.consumed < input.size() && state_ != State::done && state_ != State::failed) {
    if (state_ == State::data) {
      const std::size_t size = std::min<std::uint64_t>(remaining_, input.size() - result.consumed);
      result.status = Status::data;
      result.data = input.substr(result.consumed, size);
      result.consumed += size;
      remaining_ -= size;
      overhead_ -= static_cast<std::uint32_t>(std::min<std::size_t>(overhead_, size));
      if (remaining_ == 0) state_ = State::data_cr;
      return result;
    }
    const bool in_trailers = state_ >= State::trailer_start && state_ <= State::trailer_lf;
    state_ = next(input[result.consumed]);
    if (state_ == State::failed) break;
    if (in_trailers && state_ != State::end_lf) {
      if (result.trailers.empty()) result.trailers = input.substr(result.consumed, 0);
      result.trailers = {result.trailers.data(), result.trailers.size() + 1};
    }
    ++result.consumed;
  }
  if (state_ == State::done) result.status = Status::done;
  if (state_ == State::failed) result.status = Status::failed;
  return result;
}

ChunkDecoder::State ChunkDecoder::next(char c) {
  switch (state_) {
    case State::size_start:
      remaining_ = 0;
      digits_ = 0;
      return add_digit(c) ? State::size : State::failed;
    case State::size:
      return add_digit(c) ? State::size : after_size(c);
    case State::size_space:
      if (c == ' ' || c == '\t') return charge(State::size_space);
      return c == ';' ? charge(State::extension) : State::failed;
    case State::extension:
      if (c == '\r') return State::size_lf;
      if (c == '"') return charge(State::extension_quoted);
      return is_value_char(c) ? charge(State::extension) : State::failed;
    case State::extension_quoted:
      if (c == '"') return charge(State::extension);
      if (c == '\\') return charge(State::extension_escape);
      return is_value_char(c) ? charge(State::extension_quoted) : State::failed;
    case State::extension_escape:
      return is_value_char(c) ? charge(State::extension_quoted) : State::failed;
    case State::size_lf:
      if (c != '\n') return State::failed;
      return remaining_ == 0 ? State::trailer_start : State::data;
    case State::data_cr:
      return c == '\r' ? State::data_lf : State::failed;
    case State::data_lf:
      return c == '\n' ? State::size_start : State::failed;
    case State::trailer_start:
      if (c == '\r') return State::end_lf;
      return is_token_char(c) ? charge(State::trailer_name) : State::failed;
    case State::trailer_name:
      if (c == ':') return charge(State::trailer_value);
      return is_token_char(c) ? charge(State::trailer_name) : State::failed;
    case State::trailer_value:
      if (c == '\r') return charge(State::trailer_lf);
      return is_value_char(c) ? charge(State::trailer_value) : State::failed;
    case State::trailer_lf:
      return c == '\n' ? charge(State::trailer_start) : State::failed;
    case State::end_lf:
      return c == '\n' ? State::done : State::failed;
    case State::data:
    case State::done:
    case State::failed:
      break;
  }
  return State::failed;
}

ChunkDecoder::State ChunkDecoder::after_size(char c) {
  if (c == '\r') return State::size_lf;
  if (c == ';') return charge(State::extension);
  return c == ' ' || c == '\t' ? charge(State::size_space) : State::failed;
}

bool ChunkDecoder::add_digit(char c) {
  const char lower = to_lower(c);
  unsigned digit;
  if (is_digit(c)) {
    digit = static_cast<unsigned>(c - '0');
  } else if (lower >= 'a' && lower <= 'f') {
    digit = static_cast<unsigned>(lower - 'a') + 10;
  } else {
    return false;
  }
  // 2^63 and above is refused, so that sums of a few sizes cannot wrap.
  if (digits_ == 16 || remaining_ >= std::uint64_t{1} << 59) return false;
  ++digits_;
  remaining_ = remaining_ * 16 + digit;
  return true;
}

ChunkDecoder::State ChunkDecoder::charge(State state) {
  return ++overhead_ > max_overhead ? State::failed : state;
}

}  // namespace sekisho::proxy
