// A socket that is bound, and then listens: TCP or UNIX.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "config/config.hpp"
#include "proxy/unix_socket_file.hpp"

namespace sekisho::proxy {

// "cannot listen on ADDRESS: REASON", and where the file says so.
class ListenProblem : public std::runtime_error {
 public:
  ListenProblem(const config::Endpoint& address, const std::string& reason);
  const config::Mark& mark() const { return mark_; }

 private:
  config::Mark mark_;
};

// Lets a socket of this process be bound that overlaps the one that `descriptor` is (0.0.0.0:80 and
// 127.0.0.1:80), until it is called again with false. Both need it until the second listens. The kernel keeps
// a trace of it: a process of the same user that asks for SO_REUSEPORT itself may bind such a port
// afterwards.
void share_address(int descriptor, bool shared);

// Owns its descriptor and, on UNIX, its file.
class ListeningSocket {
 public:
  // Binds; nobody can connect yet. `shared`: see share_address. On TCP, [::] takes IPv4 too. Throws
  // ListenProblem.
  ListeningSocket(const config::Endpoint& address, bool shared);
  ListeningSocket(ListeningSocket&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)), file_(std::move(other.file_)) {}
  ~ListeningSocket();

  // From here on handshakes complete. Throws ListenProblem.
  void listen(const config::Endpoint& address);

  // What the kernel gave; 0 on UNIX.
  std::uint16_t port() const;
  int descriptor() const { return descriptor_; }
  // The descriptor and the file are the caller's from here on.
  int release() { return std::exchange(descriptor_, -1); }
  UnixSocketFile take_file() { return std::move(file_); }

 private:
  int descriptor_ = -1;
  UnixSocketFile file_;
};

}  // namespace sekisho::proxy
