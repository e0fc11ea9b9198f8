#include "storage/request_retry.h"

#include <gtest/gtest.h>

namespace tapeworks {
namespace {

using std::chrono::milliseconds;

TEST(RequestRetry, PausesDoubleUpToALimit) {
  EXPECT_EQ(pause_after(0), milliseconds(100));
  EXPECT_EQ(pause_after(3), milliseconds(800));
  EXPECT_EQ(pause_after(5), milliseconds(3200));
  EXPECT_EQ(pause_after(1'000'000), milliseconds(3200));
}

TEST(RequestRetry, AttemptsEndWhenThePausesExceedThePatience) {
  EXPECT_FALSE(is_worth_another_attempt(0, milliseconds(0)));
  EXPECT_TRUE(is_worth_another_attempt(0, milliseconds(100)));
  EXPECT_FALSE(is_worth_another_attempt(1, milliseconds(299)));
  EXPECT_TRUE(is_worth_another_attempt(1, milliseconds(300)));
  EXPECT_FALSE(is_worth_another_attempt(1'000'000'000, milliseconds(60'000)));
}

}  // namespace
}  // namespace tapeworks
