// What went wrong in TLS, as an error code whose message says it in full.
#pragma once

#include <openssl/ssl.h>

#include <boost/system/error_code.hpp>

namespace sekisho::proxy {

// Messages such as "tls: certificate verify failed (self-signed certificate)".
const boost::system::error_category& tls_category();

// Of the call on `ssl` that failed just now, from the thread's error queue. Where the queue is empty the
// socket failed: `socket_error` (an errno) says how, 0 for an end that nobody announced.
boost::system::error_code take_tls_error(const SSL* ssl, int socket_error);

// Whether the peer spoke HTTP where TLS was due.
bool is_plain_http(const boost::system::error_code& error);

}  // namespace sekisho::proxy
