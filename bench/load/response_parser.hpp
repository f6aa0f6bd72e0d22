// HTTP/1.x responses from bytes, as they come: only what a load generator has to know, and that with care,
// since a response whose end is found in the wrong place would be counted as several.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sekisho::load {

// One connection's responses, one after the other. Bodies are passed over where they lie; only a head that
// comes in pieces is copied.
class ResponseParser {
 public:
  enum class Result : std::uint8_t {
    more,       // all bytes taken, the response goes on
    complete,   // the response ended behind the taken bytes
    malformed,  // no sense can be made of it; the connection is lost
  };

  static constexpr std::size_t most_head_bytes = 64 * 1024;

  // For a new connection.
  void reset();

  // Takes bytes off the front of `input` up to the end of a response at most. `to_head`: whether the request
  // was HEAD. After `complete`, the next call begins the next response.
  Result take(std::string_view& input, bool to_head);
  // The peer has ended the connection: whether that is the proper end of a response.
  bool ends_at_close() const { return state_ == State::until_close; }

  // Whether bytes of a response have been taken that is not complete.
  bool within() const { return state_ != State::head || !partial_.empty(); }
  // How many of the next bytes belong to a body, whatever they are: take() does not look at them.
  std::uint64_t body_left() const { return state_ == State::counted ? left_ : 0; }
  // Of the response whose head was read last.
  unsigned status() const { return status_; }
  // Whether the connection ends with it.
  bool closes() const { return closes_; }

 private:
  enum class State : std::uint8_t { head, counted, chunk_size, chunk_end, trailer, until_close };

  Result take_head(std::string_view& input, bool to_head);
  bool read_head(std::string_view head, bool to_head);
  bool read_field(std::string_view line);
  Result take_chunk_size(std::string_view& input);
  Result take_trailer(std::string_view& input);
  // A line without its end, off the front of `input`; false where it has not come whole.
  bool take_line(std::string_view& input, std::string_view& line);

  State state_ = State::head;
  bool closes_ = false, chunked_ = false, counted_ = false, coded_ = false;
  std::uint16_t status_ = 0;
  std::uint64_t left_ = 0;  // bytes of the body or of the chunk
  std::string partial_;     // a head or a line that has not come whole
  std::string whole_;       // the same once it has, while it is looked at
};

}  // namespace sekisho::load
