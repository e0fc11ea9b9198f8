#include "bigquery/signed_token.h"

#include <algorithm>
#include <memory>

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

namespace tapeworks::bigquery {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

std::string pem_of(const Key& key) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  char* text = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<size_t>(size)};
}

std::string bytes_of(std::string text) {
  std::ranges::replace(text, '-', '+');
  std::ranges::replace(text, '_', '/');
  const size_t padding = (4 - text.size() % 4) % 4;
  text.append(padding, '=');
  std::string bytes(text.size() / 4 * 3, '\0');
  EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                  reinterpret_cast<const unsigned char*>(text.data()),
                  static_cast<int>(text.size()));
  bytes.resize(bytes.size() - padding);
  return bytes;
}

TEST(SignedToken, Base64HasTheAlphabetOfUrlsAndNoPadding) {
  EXPECT_EQ(base64url(""), "");
  EXPECT_EQ(base64url("f"), "Zg");
  EXPECT_EQ(base64url("fo"), "Zm8");
  EXPECT_EQ(base64url("foo"), "Zm9v");
  EXPECT_EQ(base64url("\xfb\xff\xfe"), "-__-");
}

TEST(SignedToken, ThePublicKeyVerifiesIt) {
  const Key key(EVP_RSA_gen(2048), EVP_PKEY_free);
  const auto token = signed_token(R"({"alg":"RS256"})", R"({"iss":"me"})", pem_of(key));
  ASSERT_TRUE(token) << token.error().message;
  const size_t dot = token->rfind('.');
  const std::string content = token->substr(0, dot);
  const std::string signature = bytes_of(token->substr(dot + 1));
  EXPECT_EQ(content, base64url(R"({"alg":"RS256"})") + "." + base64url(R"({"iss":"me"})"));
  const auto verify = [&](const std::string& text) {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                          EVP_MD_CTX_free);
    EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get());
    return EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                            signature.size(), reinterpret_cast<const unsigned char*>(text.data()),
                            text.size()) == 1;
  };
  EXPECT_TRUE(verify(content));
  EXPECT_FALSE(verify(content + "x"));
}

TEST(SignedToken, WhatIsNoRsaKeyIsRefusedWithoutShowingIt) {
  const Key elliptic(EVP_EC_gen("P-256"), EVP_PKEY_free);
  for (const std::string& key : {std::string(), std::string("secret text"), pem_of(elliptic)}) {
    const auto token = signed_token("{}", "{}", key);
    ASSERT_FALSE(token);
    EXPECT_EQ(token.error().kind, ErrorKind::kInvalidArgument);
    EXPECT_EQ(token.error().message.find("secret"), std::string::npos);
  }
}

}  // namespace
}  // namespace tapeworks::bigquery
