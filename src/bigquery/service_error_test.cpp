#include "bigquery/service_error.h"

#include <gtest/gtest.h>

namespace tapeworks::bigquery {
namespace {

TEST(ServiceError, MessageAndFirstReason) {
  const auto error = ServiceError::parse(
      R"({"error": {"code": 403, "message": "Slow down",
                    "errors": [{"reason": "rateLimitExceeded"}, {"reason": "other"}]}})");
  EXPECT_EQ(error.message, "Slow down");
  EXPECT_EQ(error.reason, "rateLimitExceeded");
  EXPECT_TRUE(error.is_rate_limit());
  EXPECT_FALSE(error.is_billing_limit());
}

TEST(ServiceError, AWordAloneIsTheMessage) {
  const auto error = ServiceError::parse(R"({"error": "invalid_grant"})");
  EXPECT_EQ(error.message, "invalid_grant");
  EXPECT_EQ(error.reason, "");
}

TEST(ServiceError, AnythingElseHasNoReason) {
  for (const char* content :
       {"", "<html>", "[]", "1", "{}", R"({"error": null})", R"({"error": {"message": 1}})",
        R"({"error": {"errors": {}}})", R"({"error": {"errors": []}})",
        R"({"error": {"errors": [1]}})", R"({"error": {"errors": [{"reason": []}]}})",
        R"({"error": [{"message": "x"}]})"}) {
    const auto error = ServiceError::parse(content);
    EXPECT_EQ(error.message, "no reason is given") << content;
    EXPECT_EQ(error.reason, "") << content;
  }
}

}  // namespace
}  // namespace tapeworks::bigquery
