// A worker's last answer of its own: a flood is told the same again and again.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/head_writer.hpp"

namespace sekisho::proxy {

// Writes an answer once for as long as all that it is made of stays the same, its date included. One
// worker's.
class AnswerMemory {
 public:
  struct Written {
    std::string_view text;  // until the next call, and while the scratch is not written to
    std::size_t head = 0;   // of it, in bytes; a generated body follows
  };
  // What write_local_answer writes; `scratch` is used up where it must be written.
  Written write(const LocalAnswer& answer, const policy::Admission* admission, HeadBuffer& scratch);
  // The texts that answers are made of may have changed in place: there is a new configuration.
  void forget() { size_ = 0; }

 private:
  static constexpr std::size_t longest = 2048;

  // A text by where it stands: equal ones elsewhere only cost a writing.
  struct Place {
    const char* at = nullptr;
    std::size_t size = 0;
    Place() = default;
    Place(std::string_view text) : at(text.data()), size(text.size()) {}
    friend bool operator==(const Place&, const Place&) = default;
  };

  // All that an answer is made of.
  struct Said {
    Said() = default;
    Said(const LocalAnswer& answer, const policy::Admission* admission);
    friend bool operator==(const Said&, const Said&) = default;

    std::int64_t date = 0;
    unsigned status = 0, client_version = 0;
    bool keep_alive = false, head_request = false, prefers_json = false;
    bool admission_given = false, show_ratelimit = false, show_retry_after = false, admitted = false;
    policy::Outcome outcome = policy::Outcome::proxied;
    std::uint64_t retry_after = 0, answer_retry_after = 0, reset_after = 0;
    std::uint64_t quota = 0, window = 0, remaining = 0;
    Place body, content_type, limit_name, policy_name;
  };

  Said said_;
  std::array<char, longest> text_;
  std::size_t size_ = 0;  // 0: nothing is remembered
  std::size_t head_ = 0;
};

}  // namespace sekisho::proxy
