// What OpenSSL reads from and writes to: a non-blocking socket, whose state it leaves to be looked at.
#pragma once

#include <openssl/bio.h>

#include <cstdint>

namespace sekisho::proxy {

// Goes with its SSL object, also to another worker.
struct TlsTransport {
  static constexpr std::uint32_t receives_a_call = 4;

  int descriptor = -1;  // not owned
  // The last receive emptied the socket: the next would find nothing unless more has come since.
  bool drained = false;
  bool full = false;   // the last send of this call found no room
  bool ended = false;  // the peer's FIN was seen
  int error = 0;       // errno of the last call that failed for good
  // Receives that may still be made within one call of OpenSSL, which goes on by itself over what carries no
  // data (key updates, say). Then the socket looks empty: nobody can keep a worker in a single call.
  std::uint32_t receives_left = 0;

  // Before each call of OpenSSL.
  void begin_call() {
    receives_left = receives_a_call;
    full = false;
    error = 0;
  }
  // Whether this call of OpenSSL received, so that `drained` is news.
  bool received() const { return receives_left < receives_a_call; }
};

// A BIO over `descriptor` that owns its transport; null where memory fails. No signal where the peer is gone.
BIO* make_tls_bio(int descriptor);
TlsTransport& tls_transport(BIO* bio);

}  // namespace sekisho::proxy
