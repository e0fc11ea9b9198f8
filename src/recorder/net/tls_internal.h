#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"
#include "recorder/net/byte_stream_internal.h"
#include "recorder/net/connect_options.h"

namespace tapeworks::net {

/// TLS 1.2 or newer for a client. kInvalidArgument when the file of authorities cannot be read.
Result<std::shared_ptr<ssl::context>> make_client_context(const TlsTrust& trust);

/// The same for a server with its certificate chain and key, both PEM.
Result<std::shared_ptr<ssl::context>> make_server_context(const std::filesystem::path& cert_file,
                                                          const std::filesystem::path& key_file);

/// What the verification of a certificate found wrong first; filled in during a handshake.
struct CertificateProblem {
  long code = 0;  ///< X509_V_ERR_...; 0: nothing
  std::string names;
  std::string valid_from;
  std::string valid_until;
};

/// Names `host` to the server, and has the handshake check that the certificate is for it.
Result<std::shared_ptr<CertificateProblem>> expect_host(ByteStream::Tls& tls,
                                                        const std::string& host,
                                                        const TlsTrust& trust);

/// Why the handshake with `endpoint` failed, as a sentence of its own for each reason that a person
/// would treat differently.
Error explain_handshake_failure(const CertificateProblem& problem, const error_code& error,
                                const Endpoint& endpoint);

}  // namespace tapeworks::net
