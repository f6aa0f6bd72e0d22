#include "proxy/tls_transport.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <new>

namespace sekisho::proxy {
namespace {

bool would_block(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

int write_some(BIO* bio, const char* bytes, int size) {
  TlsTransport& transport = tls_transport(bio);
  BIO_clear_retry_flags(bio);
  for (;;) {
    const ssize_t sent =
        ::send(transport.descriptor, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      transport.full = sent < size;
      return static_cast<int>(sent);
    }
    if (errno == EINTR) continue;
    if (would_block(errno)) {
      transport.full = true;
      BIO_set_retry_write(bio);
    } else {
      transport.error = errno;
    }
    return -1;
  }
}

int read_some(BIO* bio, char* space, int size) {
  TlsTransport& transport = tls_transport(bio);
  BIO_clear_retry_flags(bio);
  if (transport.receives_left == 0) {
    transport.drained = false;
    BIO_set_retry_read(bio);
    return -1;
  }
  --transport.receives_left;
  for (;;) {
    const ssize_t got = ::recv(transport.descriptor, space, static_cast<std::size_t>(size), MSG_DONTWAIT);
    if (got >= 0) {
      transport.ended = got == 0;
      transport.drained = got < size;
      return static_cast<int>(got);
    }
    if (errno == EINTR) continue;
    if (would_block(errno)) {
      transport.drained = true;
      BIO_set_retry_read(bio);
    } else {
      transport.error = errno;
    }
    return -1;
  }
}

long control(BIO* bio, int command, long, void*) {
  switch (command) {
    case BIO_CTRL_EOF:
      return tls_transport(bio).ended ? 1 : 0;
    case BIO_CTRL_FLUSH:
      return 1;
    default:
      return 0;
  }
}

int destroy(BIO* bio) {
  delete static_cast<TlsTransport*>(BIO_get_data(bio));
  BIO_set_data(bio, nullptr);
  return 1;
}

const BIO_METHOD* method() {
  static const BIO_METHOD* const made = [] {
    BIO_METHOD* made_now =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR, "sekisho socket");
    if (made_now == nullptr) return made_now;
    BIO_meth_set_write(made_now, write_some);
    BIO_meth_set_read(made_now, read_some);
    BIO_meth_set_ctrl(made_now, control);
    BIO_meth_set_destroy(made_now, destroy);
    return made_now;
  }();
  return made;
}

}  // namespace

BIO* make_tls_bio(int descriptor) {
  auto* transport = new (std::nothrow) TlsTransport;
  BIO* bio = transport == nullptr || method() == nullptr ? nullptr : BIO_new(method());
  if (bio == nullptr) {
    delete transport;
    return nullptr;
  }
  transport->descriptor = descriptor;
  BIO_set_data(bio, transport);
  BIO_set_init(bio, 1);
  return bio;
}

TlsTransport& tls_transport(BIO* bio) {
  return *static_cast<TlsTransport*>(BIO_get_data(bio));
}

}  // namespace sekisho::proxy
