// The chunked transfer coding (RFC 9112, 7.1), strict: sizes of 1 to 16 hex digits without overflow, CRLF
// alone ends a line, extensions are bounded, checked and dropped, trailers bounded, checked and handed out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sekisho::proxy {

class ChunkDecoder {
 public:
  enum class Status : std::uint8_t { more, data, done, failed };
  struct Step {
    Status status = Status::more;
    std::size_t consumed = 0;  // bytes of the input used up, those of `data` included
    std::string_view data;     // part of the input
    // Part of the input: what came of the trailers, pieces of lines with their CRLF. Beside `more` or `done`.
    std::string_view trailers;
  };

  // Bytes of extensions and trailers that a body may carry; each byte of data gives one back, so that a long
  // body may sign its every chunk, but nobody can send extensions alone for ever.
  static constexpr std::uint32_t max_overhead = 16 * 1024;

  void reset();
  // Looks at the front of `input`: `data` (call again with the rest), `more` (all of it was used up), `done`
  // (the last chunk and its trailers are over; what follows belongs to the next message) or `failed` (until
  // reset).
  Step step(std::string_view input);

 private:
  enum class State : std::uint8_t {
    size_start,
    size,
    size_space,  // white space before a semicolon, which RFC 9112, 7.1.1 tells recipients to take
    extension,
    extension_quoted,  // a line end here is refused: a reader of quotes and one of lines would part ways
    extension_escape,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_start,
    trailer_name,
    trailer_value,
    trailer_lf,
    end_lf,
    done,
    failed
  };

  State next(char c);
  State after_size(char c);
  bool add_digit(char c);
  // Counts one byte of an extension or a trailer; `state`, or failed where that was one too many.
  State charge(State state);

  State state_ = State::size_start;
  std::uint64_t remaining_ = 0;
  unsigned digits_ = 0;
  std::uint32_t overhead_ = 0;
};

}  // namespace sekisho::proxy
