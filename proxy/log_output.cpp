#include "proxy/log_output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>

namespace sekisho::proxy {

LogOutput::LogOutput(const std::string& target) {
  if (target != "stdout" && target != "stderr") {
    fd_ = ::open(target.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "log file " + target);
    owned_ = true;
    kind_ = Kind::reopened;
    return;
  }
  fd_ = target == "stdout" ? STDOUT_FILENO : STDERR_FILENO;
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return;  // closed: each write fails and is counted
  if (S_ISREG(status.st_mode)) return;
  if (S_ISSOCK(status.st_mode)) {
    kind_ = Kind::socket;
    return;
  }
  kind_ = Kind::shared;
  const std::string path = "/proc/self/fd/" + std::to_string(fd_);
  const int reopened = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (reopened >= 0) {
    fd_ = reopened;
    owned_ = true;
    kind_ = Kind::reopened;
  }
}

LogOutput::~LogOutput() {
  if (owned_) ::close(fd_);
}

bool LogOutput::terminal() const {
  return ::isatty(fd_) == 1;
}

LogOutput::Result LogOutput::write(std::string_view bytes, std::size_t& size) {
  size = 0;
  ssize_t written = -1;
  do {
    if (kind_ == Kind::socket) {
      written = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    } else if (kind_ == Kind::shared) {
      pollfd ready{fd_, POLLOUT, 0};
      if (::poll(&ready, 1, 0) == 0) return Result::would_block;
      written = ::write(fd_, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
    } else {
      written = ::write(fd_, bytes.data(), bytes.size());
    }
  } while (written < 0 && errno == EINTR);
  if (written < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? Result::would_block : Result::failed;
  size = static_cast<std::size_t>(written);
  return Result::written;
}

}  // namespace sekisho::proxy
