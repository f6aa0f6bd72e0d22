// What came of a run, and how it is told.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/load/plan.hpp"
#include "bench/load/tally.hpp"

namespace sekisho::load {

struct ClassResult {
  ClientClass clients;
  Tally tally;
};

struct Result {
  std::string target;
  double seconds = 0;  // measured, of the class that was measured longest
  std::uint64_t threads = 0;
  std::vector<ClassResult> classes;
  double busiest_thread = 0;  // its processor time as a part of the time that went by
  // The same of the time that a thread was ready to run and had no processor, of that which waited most.
  // Absent where the kernel does not count it.
  std::optional<double> waited_share;
  bool interrupted = false;

  std::int64_t cpu() const;
  double cpu_microseconds_per_request() const;
  Histogram behind() const;
  // Why the figures say more of the generator than of the target; empty where they do not.
  std::vector<std::string> bottlenecks() const;
  // What else a reader of the figures should know; empty where there is nothing.
  std::vector<std::string> hints() const;
  bool answered() const;
  // "Connection refused" and the like; empty where no connection failed.
  std::string connect_error() const;
};

double requests_per_second(const ClassResult& result);
std::uint64_t errors_of(const Tally& tally);
// Which part of an open loop's requests were due while all of the class's connections were busy.
double all_busy_share(const ClassResult& result);

// For a person, and for a program.
std::string table_of(const Result& result);
std::string json_of(const Result& result);

}  // namespace sekisho::load
