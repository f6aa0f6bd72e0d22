// Finds the elements and the end of a head as its bytes come, and refuses the first byte that no valid head
// can hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "proxy/message_head.hpp"

namespace sekisho::proxy {

// A state machine over bytes, so that the verdict on an input is the same however it was split into reads. It
// knows the lines' grammar (RFC 9112, sections 3 to 5) and the bounds, not what the fields mean. Where the
// elements stand it notes as it passes them, so that no byte is looked at twice. Allocates nothing once warm.
class HeadScanner {
 public:
  enum class Kind : std::uint8_t { request, response };

  explicit HeadScanner(Kind kind) : kind_(kind) { reset({}); }

  void reset(const HeadLimits& limits);
  // `input`: everything received since the last message's end; it may move between calls. Once complete or
  // failed it stays so.
  const ParseResult& scan(std::string_view input);
  // Complete: where the head begins, behind the empty lines that a client may send before it (RFC 9112, 2.2).
  std::size_t start() const { return start_; }

  // Complete, of the same `input` wherever it is now:
  std::string_view method(std::string_view input) const { return input.substr(start_, method_size_); }
  std::string_view target(std::string_view input) const {
    return input.substr(start_ + method_size_ + 1, target_size_);
  }
  unsigned version() const { return version_; }  // 10 or 11
  unsigned status() const { return status_; }
  std::string_view reason(std::string_view input) const {
    return input.substr(reason_, reason_end_ - reason_);
  }
  // In order, values without white space around them.
  void fields(std::string_view input, std::vector<Field>& fields) const;

 private:
  // A field line's elements, as offsets into the input.
  struct Line {
    std::uint32_t name = 0, name_size = 0, value = 0, value_end = 0;
  };

  enum class State : std::uint8_t {
    leading,
    leading_lf,
    method,
    target,
    version,
    status_code,
    reason,
    line_lf,
    field_start,
    name,
    value,
    end_lf,
    done
  };

  // Each looks at the byte at `at` and on, into the next element where it is there, and returns how far it
  // came; never past `end`.
  std::size_t step(const char* bytes, std::size_t at, std::size_t end);
  std::size_t scan_leading(char c, std::size_t at);
  std::size_t scan_method(const char* bytes, std::size_t at, std::size_t end);
  std::size_t scan_target(const char* bytes, std::size_t at, std::size_t end);
  std::size_t scan_version(const char* bytes, std::size_t at, std::size_t end);
  std::size_t scan_status_code(const char* bytes, std::size_t at, std::size_t end);
  std::size_t scan_field_start(const char* bytes, std::size_t at, std::size_t end);
  std::size_t scan_name(const char* bytes, std::size_t at, std::size_t end);
  std::size_t scan_value(const char* bytes, std::size_t at, std::size_t end);
  std::size_t scan_lf(char c, std::size_t at, State next);
  // Returns `at`, to be returned in turn.
  std::size_t fail(std::size_t at, unsigned status, const char* reason);

  Kind kind_;
  State state_ = State::leading;
  HeadLimits limits_;
  ParseResult result_;
  std::size_t start_ = 0;
  std::size_t offset_ = 0;  // bytes looked at
  std::size_t mark_ = 0;    // where the current element began
  std::size_t method_size_ = 0, target_size_ = 0;
  std::size_t reason_ = 0, reason_end_ = 0;
  unsigned version_ = 0;
  unsigned status_ = 0;
  std::vector<Line> lines_;
};

}  // namespace sekisho::proxy
