// Which operation of a run goes wrong, and how; and how many operations of each kind a run has.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sekisho::test {

// What the code under test does with its streams, counted apart. A read counts when it has something to tell.
enum class Operation : std::uint8_t { client_read, client_write, upstream_read, upstream_write, connect };
inline constexpr std::array all_operations{Operation::client_read, Operation::client_write,
                                           Operation::upstream_read, Operation::upstream_write,
                                           Operation::connect};

enum class Failure : std::uint8_t {
  none,
  reset,        // the connection is gone, with what was under way on it
  eof,          // read: a FIN in place of the data
  broken_pipe,  // write: refused; what the peer had sent may still be read, a FIN behind it
  one_byte,     // no more than that is read or taken
  would_block,  // nothing is read or taken this time
  stall,        // nothing comes, or is taken, ever again
  refused,      // connect
  unanswered    // connect
};

constexpr std::string_view name_of(Operation operation) {
  constexpr std::array<std::string_view, all_operations.size()> names{
      "client read", "client write", "upstream read", "upstream write", "connect"};
  return names[static_cast<std::size_t>(operation)];
}

constexpr std::string_view name_of(Failure failure) {
  constexpr std::array<std::string_view, 9> names{"no failure",  "reset",    "eof",
                                                  "broken pipe", "one byte", "would block",
                                                  "stall",       "refused",  "unanswered"};
  return names[static_cast<std::size_t>(failure)];
}

// How an operation of this kind can fail.
inline std::vector<Failure> failures_of(Operation operation) {
  switch (operation) {
    case Operation::client_read:
    case Operation::upstream_read:
      return {Failure::reset, Failure::eof, Failure::one_byte, Failure::would_block, Failure::stall};
    case Operation::client_write:
    case Operation::upstream_write:
      return {Failure::reset, Failure::broken_pipe, Failure::one_byte, Failure::would_block, Failure::stall};
    case Operation::connect:
      return {Failure::refused, Failure::unanswered};
  }
  return {};
}

// Changes when things happen, not what happens.
constexpr bool is_harmless(Failure failure) {
  return failure == Failure::none || failure == Failure::one_byte || failure == Failure::would_block;
}

struct Fault {
  Operation operation = Operation::connect;
  std::size_t nth = 0;  // from 1
  Failure failure = Failure::none;

  std::string text() const {
    return std::string(name_of(operation)) + " " + std::to_string(nth) + ": " + std::string(name_of(failure));
  }
};

// Asked at each operation. One thread.
class FaultPlan {
 public:
  explicit FaultPlan(std::vector<Fault> faults = {}) : faults_(std::move(faults)) {}

  // How the next operation of this kind fails.
  Failure next(Operation operation) {
    const std::size_t nth = ++counts_[static_cast<std::size_t>(operation)];
    for (const Fault& fault : faults_) {
      if (fault.operation == operation && fault.nth == nth) return fault.failure;
    }
    return Failure::none;
  }
  std::size_t count(Operation operation) const { return counts_[static_cast<std::size_t>(operation)]; }
  const std::vector<Fault>& faults() const { return faults_; }

 private:
  std::vector<Fault> faults_;
  std::array<std::size_t, all_operations.size()> counts_{};
};

}  // namespace sekisho::test
