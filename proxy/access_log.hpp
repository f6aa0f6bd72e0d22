// The access log: lines formatted by the workers, written by one thread, never waited for.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "proxy/message_head.hpp"
#include "proxy/policy/admission.hpp"

namespace sekisho::proxy {

// What one line says; views need hold only during write(). The method (a token, says the parser), the names
// of limits (the file's, [a-z0-9_-]) and the request's id (choose_request_id) have nothing to escape in JSON.
struct AccessRecord {
  std::int64_t wall_ms = 0;                   // since the epoch, when the head was complete
  const config::IpAddress* client = nullptr;  // nullptr: unknown (a head that could not be read)
  const config::IpAddress* peer = nullptr;
  const RequestHead* head = nullptr;  // nullptr: no head could be read
  std::string_view host;
  std::string_view target;  // origin-form; split into path and query here
  unsigned status = 0;      // 0: none was sent
  policy::Outcome outcome = policy::Outcome::proxied;
  std::string_view limit, key, shadow;        // shadow: "a,b"
  std::uint64_t bytes_in = 0, bytes_out = 0;  // of the bodies
  std::int64_t duration_us = 0;
  std::int64_t queue_us = -1;  // -1: did not come to it
  std::int64_t upstream_us = -1;
  std::string_view upstream;  // the server's text
  std::string_view request_id;
};

class AccessLog;

// One worker's end: a ring of bytes with one writer and one reader.
class AccessLogLane {
 public:
  // Formats a line into the ring; drops and counts it when there is no room. Lock-free (but for the first
  // line after a reload), allocates nothing, and no system call but to wake the writer once a ring is half
  // full.
  void write(const AccessRecord& record);
  // Called by the worker's tick: wakes the writer thread if lines wait.
  void flush();
  std::uint64_t dropped() const;

 private:
  friend class AccessLog;
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// Owns the file and the writer thread. lane(i) is given to worker i for the process's life. Destruction,
// after the workers have ended, writes out what is in the rings, for a second at most.
class AccessLog {
 public:
  // Throws std::system_error where the file cannot be opened.
  AccessLog(const config::Log& log, unsigned workers);
  ~AccessLog();
  AccessLogLane& lane(unsigned worker);
  // What a reload changed: query, headers, sample, and where the lines go. Safe while the lanes write. Throws
  // like the constructor and has changed nothing then.
  void configure(const config::Log& log);
  // SIGUSR1. Throws like the constructor; lines go on to the old file then.
  void reopen();
  std::uint64_t dropped() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sekisho::proxy
