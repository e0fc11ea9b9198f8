#include <memory>
#include <string_view>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "recorder/net/tls_internal.h"

namespace tapeworks::net {
namespace {

constexpr size_t kNamesListedMax = 5;

std::string text_of(const ASN1_STRING* string) {
  if (string == nullptr) return {};
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<size_t>(ASN1_STRING_length(string))};
}

/// The hosts that a certificate is for, as far as a message should list them.
std::string names_of(const X509* certificate) {
  std::string names;
  size_t count = 0;
  const std::unique_ptr<GENERAL_NAMES, void (*)(GENERAL_NAMES*)> list(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      GENERAL_NAMES_free);
  for (int i = 0; list && i < sk_GENERAL_NAME_num(list.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(list.get(), i);
    if (name->type != GEN_DNS) continue;
    if (++count > kNamesListedMax) return names + ", ...";
    names += (names.empty() ? "" : ", ") + text_of(name->d.dNSName);
  }
  return names.empty() ? "no name" : names;
}

std::string time_text(const ASN1_TIME* time) {
  tm fields{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &fields) != 1) return "an unknown time";
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", fields.tm_year + 1900, fields.tm_mon + 1,
                     fields.tm_mday, fields.tm_hour, fields.tm_min);
}

bool is_ip_address(const std::string& host) {
  error_code error;
  asio::ip::make_address(host, error);
  return !error;
}

}  // namespace

Result<std::shared_ptr<ssl::context>> make_client_context(const TlsTrust& trust) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  error_code error;
  if (trust.insecure_accept_any_certificate_for_tests) {
    context->set_verify_mode(ssl::verify_none, error);
    return context;
  }
  context->set_verify_mode(ssl::verify_peer, error);
  if (trust.ca_file.empty()) {
    context->set_default_verify_paths(error);
    if (error)
      return io_error("the system's certificate authorities cannot be read: {}", error.message());
  } else {
    context->load_verify_file(trust.ca_file.string(), error);
    if (error) {
      return invalid_argument("{}: cannot be read as certificate authorities in PEM form: {}",
                              trust.ca_file.string(), error.message());
    }
  }
  return context;
}

Result<std::shared_ptr<ssl::context>> make_server_context(const std::filesystem::path& cert_file,
                                                          const std::filesystem::path& key_file) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  error_code error;
  context->use_certificate_chain_file(cert_file.string(), error);
  if (error) {
    return invalid_argument("{}: cannot be read as a certificate in PEM form: {}",
                            cert_file.string(), error.message());
  }
  context->use_private_key_file(key_file.string(), ssl::context::pem, error);
  if (error) {
    return invalid_argument("{}: cannot be read as the private key of {} in PEM form: {}",
                            key_file.string(), cert_file.string(), error.message());
  }
  return context;
}

Result<std::shared_ptr<CertificateProblem>> expect_host(ByteStream::Tls& tls,
                                                        const std::string& host,
                                                        const TlsTrust& trust) {
  auto problem = std::make_shared<CertificateProblem>();
  SSL* const handle = tls.native_handle();
  const bool is_address = is_ip_address(host);
  // An address must not be sent as a server name (RFC 6066, section 3).
  if (!is_address && SSL_set_tlsext_host_name(handle, host.c_str()) != 1) {
    return invalid_argument("'{}' is no host name that TLS can send", host);
  }
  if (trust.insecure_accept_any_certificate_for_tests) return problem;
  X509_VERIFY_PARAM* const expected = SSL_get0_param(handle);
  const int accepted = is_address
                           ? X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str())
                           : X509_VERIFY_PARAM_set1_host(expected, host.c_str(), host.size());
  if (accepted != 1)
    return invalid_argument("'{}' is no host name that a certificate can have", host);
  // After a failed handshake the certificate is gone, so what a message needs is kept here.
  tls.set_verify_callback([problem](bool verified, ssl::verify_context& context) {
    if (!verified && problem->code == X509_V_OK) {
      X509_STORE_CTX* const store = context.native_handle();
      problem->code = X509_STORE_CTX_get_error(store);
      if (const X509* const certificate = X509_STORE_CTX_get_current_cert(store)) {
        problem->names = names_of(certificate);
        problem->valid_from = time_text(X509_get0_notBefore(certificate));
        problem->valid_until = time_text(X509_get0_notAfter(certificate));
      }
    }
    return verified;
  });
  return problem;
}

Error explain_handshake_failure(const CertificateProblem& problem, const error_code& error,
                                const Endpoint& endpoint) {
  const std::string where = host_and_port(endpoint);
  const auto distrust = [&where](std::string_view reason) {
    return Error{ErrorKind::kIo, fmt::format("will not talk to {}: {}", where, reason)};
  };
  switch (problem.code) {
    case X509_V_OK:
      return Error{ErrorKind::kIo,
                   fmt::format("{}: the TLS handshake failed: {}; check that the port speaks TLS",
                               where, error.message())};
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return distrust(
          fmt::format("its certificate expired on {}; whoever runs the server must renew it",
                      problem.valid_until));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return distrust(
          fmt::format("its certificate is valid only from {} on; check the clock of this machine",
                      problem.valid_from));
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return distrust(
          "its certificate is self-signed; if it is the right one, name it as the CA file");
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return distrust(
          "its certificate comes from an unknown authority; if that is the right one, name its "
          "certificate as the CA file");
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return distrust(fmt::format("its certificate is for {}, not for this host; check the address",
                                  problem.names));
    default:
      return distrust(fmt::format("its certificate was refused: {}",
                                  X509_verify_cert_error_string(problem.code)));
  }
}

}  // namespace tapeworks::net
