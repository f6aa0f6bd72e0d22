// The file by which a UNIX socket of ours is found.
#pragma once

#include <sys/types.h>

#include <string>

namespace sekisho::proxy {

// Makes room at `path` for a socket to be bound: a file that nobody listens on any more, left by a process
// that was killed, is removed. Throws std::runtime_error with the reason where somebody listens there, or
// where it is no socket.
void make_way_for_socket(const std::string& path);

// Owns the file that a bind made: removes it at its end, unless another has taken its place since.
class UnixSocketFile {
 public:
  UnixSocketFile() = default;  // none
  // Of a socket just bound to `path`; `mode` says who may connect (writing is what counts).
  UnixSocketFile(std::string path, mode_t mode);
  UnixSocketFile(UnixSocketFile&& other) noexcept;
  UnixSocketFile& operator=(UnixSocketFile&& other) noexcept;
  ~UnixSocketFile() { remove(); }

  void remove();

 private:
  std::string path_;  // empty: none
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace sekisho::proxy
