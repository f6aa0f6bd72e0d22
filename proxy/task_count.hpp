// How many tasks share the traffic, from what look-ups of their name find.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "proxy/once_a_minute.hpp"
#include "proxy/socket_stream.hpp"
#include "ratelimit/instant.hpp"

namespace sekisho::proxy {

// The tasks that a name's addresses stand for: each has one of each family that the name has, so the larger
// number of distinct addresses of one family. 0 for none; at most what fleet.tasks takes as a number.
std::uint64_t tasks_behind(const std::vector<StreamEndpoint>& addresses);

// The most that any of the last three answers found: a rise counts at once, a fall when it was seen three
// times in a row, since a task that is replaced is gone for a moment. The first answer counts at once; a
// look-up without an answer says nothing, and neither ends a row nor goes into it.
class TaskCount {
 public:
  // `tasks` holds until the first answer.
  explicit TaskCount(std::uint64_t tasks) : number_(tasks) {}

  enum class News : std::uint8_t {
    none,
    counted,    // the number is another one, or was counted for the first time
    no_answer,  // to be said: the last time was a minute ago or more
  };
  // A look-up has found so many tasks; 0: it failed, or found no address.
  News see(std::uint64_t tasks, ratelimit::Instant now);

  std::uint64_t number() const { return number_; }
  bool counted() const { return counted_; }  // there was an answer

 private:
  std::uint64_t number_;
  bool counted_ = false;
  std::array<std::uint64_t, 3> last_{};  // the newest answer first; 0 where there was none yet
  OnceAMinute failure_;
};

}  // namespace sekisho::proxy
