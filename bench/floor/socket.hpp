// Sockets and epoll, as bare as the kernel has them: the floor is what they cost.
#pragma once

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace sekisho::bench::floor {

// HOST:PORT with a numeric IPv4 host. All of these end the process with a message where the system refuses.
int listen_on(std::string_view address);
int connect_to(std::string_view address);
// The next waiting connection, non-blocking; -1 where none waits or descriptors are out.
int accept_from(int listener);

// How many of the bytes the socket took; 0 where it takes none now, -1 where the peer is gone.
std::ptrdiff_t send_some(int socket, std::string_view bytes);
// How many bytes came; 0 where none wait now, -1 where the peer is gone or has said all.
std::ptrdiff_t receive_some(int socket, std::span<char> into);

class Epoll {
 public:
  Epoll();
  void add(int socket, void* owner, std::uint32_t events = EPOLLIN) const;
  void change(int socket, void* owner, std::uint32_t events) const;
  // Waits; the span is good until the next call.
  std::span<const epoll_event> wait();

 private:
  int epoll_;
  epoll_event events_[512];
};

}  // namespace sekisho::bench::floor
