// Where log bytes go: a file, stdout or stderr, written without ever being held up by whoever reads it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sekisho::proxy {

// A reader that stalls must stop neither a worker nor the process's end, and the flags of an inherited
// descriptor are shared with other processes, so they are left alone: a pipe or terminal is opened anew
// through /proc/self/fd without blocking, a socket is sent to with MSG_DONTWAIT, and where a pipe cannot be
// opened anew each write is at most what a pipe that polls as writable takes (PIPE_BUF). A regular file is
// written as it is. Not thread-safe.
class LogOutput {
 public:
  // `target`: a path (created with mode 0640, appended to), "stdout" or "stderr". Throws std::system_error
  // naming the path.
  explicit LogOutput(const std::string& target);
  ~LogOutput();
  LogOutput(const LogOutput&) = delete;
  LogOutput& operator=(const LogOutput&) = delete;

  enum class Result : unsigned char {
    written,
    would_block,  // wait until descriptor() is writable
    failed        // nobody reads any more, or the disk is full: what was to be written is lost
  };
  // Writes as much of the front of `bytes` as can be had now; `size` is what was written.
  Result write(std::string_view bytes, std::size_t& size);

  int descriptor() const { return fd_; }
  bool terminal() const;

 private:
  enum class Kind : unsigned char { file, socket, reopened, shared };
  int fd_ = -1;
  bool owned_ = false;
  Kind kind_ = Kind::file;
};

}  // namespace sekisho::proxy
