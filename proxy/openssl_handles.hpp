// Owners of OpenSSL's objects.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

namespace sekisho::proxy {

template <auto free_function>
struct OpensslFree {
  template <class T>
  void operator()(T* object) const noexcept {
    free_function(object);
  }
};

using SslHandle = std::unique_ptr<SSL, OpensslFree<SSL_free>>;
using SslContextHandle = std::unique_ptr<SSL_CTX, OpensslFree<SSL_CTX_free>>;
using CertificateHandle = std::unique_ptr<X509, OpensslFree<X509_free>>;
using PrivateKeyHandle = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY_free>>;
using BioHandle = std::unique_ptr<BIO, OpensslFree<BIO_free>>;

}  // namespace sekisho::proxy
