#include "proxy/unix_socket_file.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace sekisho::proxy {

void make_way_for_socket(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return;
  if (!S_ISSOCK(status.st_mode)) throw std::runtime_error("a file that is no socket stands there");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (probe < 0) throw std::runtime_error(std::strerror(errno));
  const bool connected = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  const int error = connected ? 0 : errno;
  ::close(probe);
  // EAGAIN: its backlog is full.
  if (connected || error == EAGAIN)
    throw std::runtime_error("the address is in use (another process listens there)");
  if (error == ENOENT) return;
  if (error != ECONNREFUSED) throw std::runtime_error(std::strerror(error));
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    throw std::runtime_error(
        std::string("a socket that nobody listens on stands there and cannot be removed: ") +
        std::strerror(errno));
  }
}

UnixSocketFile::UnixSocketFile(std::string path, mode_t mode) : path_(std::move(path)) {
  ::chmod(path_.c_str(), mode);
  struct stat status {};
  if (::lstat(path_.c_str(), &status) != 0) {
    path_.clear();
    return;
  }
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

UnixSocketFile::UnixSocketFile(UnixSocketFile&& other) noexcept
    : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}

UnixSocketFile& UnixSocketFile::operator=(UnixSocketFile&& other) noexcept {
  if (this == &other) return *this;
  remove();
  path_ = std::exchange(other.path_, {});
  device_ = other.device_;
  inode_ = other.inode_;
  return *this;
}

void UnixSocketFile::remove() {
  const std::string path = std::exchange(path_, {});
  struct stat status {};
  if (path.empty() || ::lstat(path.c_str(), &status) != 0) return;
  if (status.st_dev == device_ && status.st_ino == inode_) ::unlink(path.c_str());
}

}  // namespace sekisho::proxy
