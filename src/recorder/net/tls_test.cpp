#include <filesystem>
#include <string>

#include <unistd.h>

#include "recorder/net/certificate_test_support.h"
#include "recorder/net/net_test_support.h"

namespace tapeworks::net {
namespace {

namespace fs = std::filesystem;

class Tls : public testing::Test {
 protected:
  void SetUp() override {
    folder = fs::temp_directory_path() / ("tapeworks_tls_test_" + std::to_string(::getpid()));
    fs::create_directories(folder);
    authority.write(folder / "ca.pem", folder / "ca.key");
  }
  void TearDown() override { fs::remove_all(folder); }

  /// How a client that believes in `ca_file` fares with a server that has `certificate`.
  void connect(const Certificate& certificate, TlsTrust trust,
               const std::string& host = "127.0.0.1") {
    certificate.write(folder / "server.pem", folder / "server.key");
    ServerOptions options;
    options.tls_cert_file = folder / "server.pem";
    options.tls_key_file = folder / "server.key";
    LocalServer server(loop, options);
    server.log.when_open = [](ServerConnection& connection) {
      EXPECT_TRUE(connection.send(Opcode::kText, "secret", 0));
    };
    ConnectOptions client_options = server.client_options();
    client_options.endpoint.tls = true;
    client_options.endpoint.host = host;
    client_options.trust = std::move(trust);
    WebSocketClient client(loop, client_options, {}, log);
    ASSERT_TRUE(run_until(loop, [&] { return !log.frames.empty() || log.closed.has_value(); }));
  }
  void expect_refusal(const std::string& words) {
    EXPECT_FALSE(log.open);
    EXPECT_TRUE(log.frames.empty());
    ASSERT_TRUE(log.closed);
    EXPECT_EQ(log.closed->cause, CloseCause::kNotOpened);
    EXPECT_NE(log.closed->message.find(words), std::string::npos) << log.closed->message;
  }
  TlsTrust trust_authority() const { return {.ca_file = folder / "ca.pem"}; }

  EventLoop loop;
  ClientLog log;
  fs::path folder;
  Certificate authority{CertificateWish{.subject_alt_name = ""}};
};

TEST_F(Tls, TalksToAServerWhoseAuthorityIsTrusted) {
  connect(Certificate({}, &authority), trust_authority());
  EXPECT_EQ(log.frames, std::vector<std::string>{"secret"});
}

TEST_F(Tls, TalksToANamedHost) {
  connect(Certificate({}, &authority), trust_authority(), "localhost");
  EXPECT_EQ(log.frames.size(), 1U);
}

TEST_F(Tls, RefusesAnExpiredCertificate) {
  connect(Certificate({.valid_until = std::chrono::hours(-1)}, &authority), trust_authority());
  expect_refusal("its certificate expired on 20");
}

TEST_F(Tls, RefusesACertificateOfTheFuture) {
  connect(Certificate({.valid_from = std::chrono::hours(1)}, &authority), trust_authority());
  expect_refusal("check the clock");
}

TEST_F(Tls, RefusesASelfSignedCertificate) {
  connect(Certificate(), trust_authority());
  expect_refusal("is self-signed");
}

TEST_F(Tls, RefusesACertificateForAnotherAddress) {
  connect(Certificate({.subject_alt_name = "DNS:stream.example,DNS:b.example"}, &authority),
          trust_authority());
  expect_refusal("is for stream.example, b.example, not for this host");
}

TEST_F(Tls, RefusesACertificateForAnotherName) {
  connect(Certificate({.subject_alt_name = "DNS:stream.example"}, &authority), trust_authority(),
          "localhost");
  expect_refusal("is for stream.example, not for this host");
}

TEST_F(Tls, RefusesAnUnknownAuthority) {
  const Certificate stranger(CertificateWish{.subject_alt_name = ""});
  connect(Certificate({}, &stranger), trust_authority());
  expect_refusal("unknown authority");
}

TEST_F(Tls, TrustsTheSystemsAuthoritiesOnlyUnlessToldOtherwise) {
  connect(Certificate({}, &authority), {});
  expect_refusal("unknown authority");
}

TEST_F(Tls, VerificationIsOffOnlyByItsLoudName) {
  connect(Certificate({.subject_alt_name = "DNS:x", .valid_until = std::chrono::hours(-1)}),
          {.insecure_accept_any_certificate_for_tests = true});
  EXPECT_EQ(log.frames.size(), 1U);
}

TEST_F(Tls, SaysWhichAuthorityFileCannotBeRead) {
  connect(Certificate({}, &authority), {.ca_file = folder / "no_such.pem"});
  expect_refusal("no_such.pem");
}

TEST_F(Tls, SaysWhenThePortSpeaksNoTls) {
  LocalServer server(loop);
  ConnectOptions options = server.client_options();
  options.endpoint.tls = true;
  WebSocketClient client(loop, options, {}, log);
  ASSERT_TRUE(run_until(loop, [&] { return log.closed.has_value(); }));
  expect_refusal("check that the port speaks TLS");
}

TEST_F(Tls, AServerSaysWhichFileCannotBeRead) {
  ServerLog handler;
  ServerOptions options;
  options.listen = {"127.0.0.1", 0};
  options.tls_cert_file = folder / "missing.pem";
  const auto server = HttpServer::listen(loop, options, handler);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_NE(server.error().message.find("missing.pem"), std::string::npos);
}

}  // namespace
}  // namespace tapeworks::net
