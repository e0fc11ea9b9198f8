#include "bigquery/google_login.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace tapeworks::bigquery {
namespace {

constexpr const char* kSecret = "s3cret-of-the-tests";

class GoogleLoginTest : public testing::Test {
 protected:
  void SetUp() override {
    unsetenv("GOOGLE_OAUTH_ACCESS_TOKEN");
    unsetenv("GOOGLE_APPLICATION_CREDENTIALS");
  }
  void TearDown() override {
    SetUp();
    std::filesystem::remove(path_);
  }

  void write_key_file(const std::string& content) {
    std::ofstream(path_) << content;
    setenv("GOOGLE_APPLICATION_CREDENTIALS", path_.c_str(), 1);
  }

  std::string refusal() {
    const auto login = GoogleLogin::from_environment();
    EXPECT_FALSE(login);
    if (login) return "";
    EXPECT_EQ(login.error().kind, ErrorKind::kInvalidArgument);
    EXPECT_EQ(login.error().message.find(kSecret), std::string::npos) << login.error().message;
    return login.error().message;
  }

  const std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / fmt::format("tapeworks-login-{}.json", ::getpid());
};

TEST_F(GoogleLoginTest, NothingIsNoLogin) {
  const auto login = GoogleLogin::from_environment();
  ASSERT_TRUE(login) << login.error().message;
  EXPECT_FALSE(*login);
}

TEST_F(GoogleLoginTest, ATokenIsTakenAsItIsAndIsASecret) {
  setenv("GOOGLE_OAUTH_ACCESS_TOKEN", kSecret, 1);
  auto login = GoogleLogin::from_environment();
  ASSERT_TRUE(login && *login);
  auto http = HttpClient::create(std::chrono::milliseconds(0));
  ASSERT_TRUE(http) << http.error().message;
  EXPECT_EQ((*login)->token(*http), kSecret);
  EXPECT_EQ((*login)->secrets(), std::vector<std::string>{kSecret});
}

TEST_F(GoogleLoginTest, ATokenWithALineEndIsRefused) {
  setenv("GOOGLE_OAUTH_ACCESS_TOKEN", fmt::format("{}\n", kSecret).c_str(), 1);
  EXPECT_NE(refusal().find("line end"), std::string::npos);
}

TEST_F(GoogleLoginTest, AKeyFileThatCannotBeUsedIsNamed) {
  setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json", 1);
  EXPECT_NE(refusal().find("/nowhere/key.json"), std::string::npos);
  write_key_file(fmt::format("no JSON: {}", kSecret));
  EXPECT_NE(refusal().find("no JSON object"), std::string::npos);
  write_key_file(fmt::format(R"({{"type": "external_account", "private_key": "{}"}})", kSecret));
  EXPECT_NE(refusal().find("'external_account'"), std::string::npos);
  write_key_file(fmt::format(R"({{"type": "service_account", "private_key": "{}"}})", kSecret));
  EXPECT_NE(refusal().find("'client_email'"), std::string::npos);
  write_key_file(fmt::format(R"({{"type": "authorized_user", "client_id": "i",
                                  "client_secret": "{}"}})",
                             kSecret));
  EXPECT_NE(refusal().find("'refresh_token'"), std::string::npos);
}

TEST_F(GoogleLoginTest, ASecretDoesNotLeaveTheMachineWithoutTls) {
  write_key_file(
      fmt::format(R"({{"type": "authorized_user", "client_id": "i", "client_secret": "{}",
                                  "refresh_token": "r", "token_uri": "http://example.org/token"}})",
                  kSecret));
  EXPECT_NE(refusal().find("not https"), std::string::npos);
}

TEST_F(GoogleLoginTest, AKeyThatIsNoneIsRefusedWhenItIsNeeded) {
  write_key_file(fmt::format(
      R"({{"type": "service_account", "client_email": "a@b", "private_key": "{}"}})", kSecret));
  auto login = GoogleLogin::from_environment();
  ASSERT_TRUE(login && *login);
  auto http = HttpClient::create(std::chrono::milliseconds(0));
  ASSERT_TRUE(http);
  const auto token = (*login)->token(*http);
  ASSERT_FALSE(token);
  EXPECT_NE(token.error().message.find("no RSA key"), std::string::npos);
  EXPECT_EQ(token.error().message.find(kSecret), std::string::npos);
}

}  // namespace
}  // namespace tapeworks::bigquery
