// Certificates made at test time: an authority of its own, and what it signs, as PEM files in a folder.
#pragma once

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "proxy/openssl_handles.hpp"

namespace sekisho::test {

class TlsFiles {
 public:
  // Files of one certificate: NAME.pem holds it (and its issuer, where `chain`), NAME.key its key.
  struct Made {
    std::string certificate, key;
  };

  TlsFiles() {
    std::string pattern = std::filesystem::temp_directory_path() / "sekisho-tls-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = pattern;
    authority_key_ = new_key();
    authority_ = certificate("Test Authority", "", *authority_key_, 0, 3650);
    write_certificate(ca(), *authority_);
  }
  ~TlsFiles() { std::filesystem::remove_all(folder_); }
  TlsFiles(const TlsFiles&) = delete;
  TlsFiles& operator=(const TlsFiles&) = delete;

  std::string ca() const { return path("ca.pem"); }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  // `alternatives` as OpenSSL writes them, such as "DNS:a.example,IP:127.0.0.1"; empty: none. Valid from
  // `from` to `to`, in days from now.
  Made make(const std::string& name, const std::string& common_name, const std::string& alternatives,
            int from = -1, int to = 30) {
    const proxy::PrivateKeyHandle key = new_key();
    const Made made{path(name + ".pem"), path(name + ".key")};
    write_certificate(made.certificate, *certificate(common_name, alternatives, *key, from, to));
    write_key(made.key, *key, nullptr);
    return made;
  }
  void write_text(const std::string& file, const std::string& text) const { std::ofstream(file) << text; }
  std::string read_text(const std::string& file) const {
    std::ifstream stream(file);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void write_encrypted_key(const std::string& file) const { write_key(file, *new_key(), "secret"); }

 private:
  struct File {
    explicit File(const std::string& name) : stream(std::fopen(name.c_str(), "we")) {}
    ~File() { std::fclose(stream); }
    std::FILE* stream;
  };

  static proxy::PrivateKeyHandle new_key() {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    if (key == nullptr) throw std::runtime_error("no key");
    return proxy::PrivateKeyHandle(key);
  }

  proxy::CertificateHandle certificate(const std::string& common_name, const std::string& alternatives,
                                       EVP_PKEY& key, int from, int to) {
    proxy::CertificateHandle made(X509_new());
    X509* x = made.get();
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial_);
    constexpr long day = 24 * 3600;
    X509_gmtime_adj(X509_getm_notBefore(x), from * day);
    X509_gmtime_adj(X509_getm_notAfter(x), to * day);
    X509_set_pubkey(x, &key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
    const bool own = authority_ == nullptr;
    X509_set_issuer_name(x, X509_get_subject_name(own ? x : authority_.get()));
    if (own) add_extension(*x, NID_basic_constraints, "critical,CA:TRUE");
    if (!alternatives.empty()) add_extension(*x, NID_subject_alt_name, alternatives);
    X509_sign(x, authority_key_.get(), EVP_sha256());
    return made;
  }

  static void add_extension(X509& certificate, int nid, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    if (extension == nullptr) throw std::runtime_error("no extension " + value);
    X509_add_ext(&certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  static void write_certificate(const std::string& name, X509& certificate) {
    PEM_write_X509(File(name).stream, &certificate);
  }
  static void write_key(const std::string& name, EVP_PKEY& key, const char* passphrase) {
    PEM_write_PKCS8PrivateKey(File(name).stream, &key, passphrase == nullptr ? nullptr : EVP_aes_128_cbc(),
                              passphrase, passphrase == nullptr ? 0 : 6, nullptr, nullptr);
  }

  std::string folder_;
  long serial_ = 0;
  proxy::PrivateKeyHandle authority_key_;
  proxy::CertificateHandle authority_;
};

}  // namespace sekisho::test
