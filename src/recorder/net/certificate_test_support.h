#pragma once

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace tapeworks::net {

/// What a test wants a certificate to say.
struct CertificateWish {
  std::string subject_alt_name = "IP:127.0.0.1,DNS:localhost";  ///< empty for an authority
  std::chrono::seconds valid_from = std::chrono::hours(-48);    ///< from now
  std::chrono::seconds valid_until = std::chrono::hours(48);
};

/// A certificate with its key, made for one test.
class Certificate {
 public:
  /// Signed by itself when `issuer` is null.
  explicit Certificate(const CertificateWish& wish = {}, const Certificate* issuer = nullptr)
      : key_(EVP_EC_gen("P-256"), EVP_PKEY_free), certificate_(X509_new(), X509_free) {
    static int64_t serial = 0;
    X509* const x = certificate_.get();
    X509_set_version(x, 2);
    ASN1_INTEGER_set_int64(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), wish.valid_from.count());
    X509_gmtime_adj(X509_getm_notAfter(x), wish.valid_until.count());
    X509_set_pubkey(x, key_.get());
    const std::string name = "test " + std::to_string(serial);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509* const signer = issuer != nullptr ? issuer->certificate_.get() : x;
    X509_set_issuer_name(x, X509_get_subject_name(signer));
    if (wish.subject_alt_name.empty()) {
      extend(NID_basic_constraints, "critical,CA:TRUE");
      extend(NID_key_usage, "critical,keyCertSign");
    } else {
      extend(NID_subject_alt_name, wish.subject_alt_name);
    }
    X509_sign(x, issuer != nullptr ? issuer->key_.get() : key_.get(), EVP_sha256());
  }

  void write(const std::filesystem::path& cert_file, const std::filesystem::path& key_file) const {
    FILE* file = std::fopen(cert_file.c_str(), "w");
    PEM_write_X509(file, certificate_.get());
    std::fclose(file);
    file = std::fopen(key_file.c_str(), "w");
    PEM_write_PrivateKey(file, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
  }

 private:
  void extend(int nid, const std::string& value) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    X509_add_ext(certificate_.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }

  std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key_;
  std::unique_ptr<X509, void (*)(X509*)> certificate_;
};

}  // namespace tapeworks::net
