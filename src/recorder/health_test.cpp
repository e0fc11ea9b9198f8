#include "recorder/health.h"

#include <gtest/gtest.h>

namespace tapeworks::recorder {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kLimitNs = 60 * kSecondNs;

TEST(Health, IsGoodWhileMessagesBecomeDurable) {
  const HealthReading reading{.now_ns = 1000 * kSecondNs,
                              .began_ns = kSecondNs,
                              .last_message_durable_ns = 940 * kSecondNs,
                              .last_record_durable_ns = 999 * kSecondNs};
  EXPECT_FALSE(find_trouble(reading, kLimitNs));
}

TEST(Health, AStartHasTheLimitToBringItsFirstMessage) {
  HealthReading reading{.now_ns = 61 * kSecondNs, .began_ns = kSecondNs};
  EXPECT_FALSE(find_trouble(reading, kLimitNs));
  ++reading.now_ns;
  EXPECT_TRUE(find_trouble(reading, kLimitNs));
}

TEST(Health, NamesTheConnectionsWhenOnlyHeartbeatsAreWritten) {
  const HealthReading reading{.now_ns = 100 * kSecondNs,
                              .began_ns = kSecondNs,
                              .last_message_durable_ns = 30 * kSecondNs,
                              .last_record_durable_ns = 100 * kSecondNs};
  const auto trouble = find_trouble(reading, kLimitNs);
  ASSERT_TRUE(trouble);
  EXPECT_EQ(*trouble,
            "no message of an exchange was made durable for 70 s; look at the connections");
}

TEST(Health, NamesTheDiskWhenNothingIsWritten) {
  const HealthReading reading{.now_ns = 100 * kSecondNs,
                              .began_ns = kSecondNs,
                              .last_message_durable_ns = 20 * kSecondNs,
                              .last_record_durable_ns = 20 * kSecondNs};
  const auto trouble = find_trouble(reading, kLimitNs);
  ASSERT_TRUE(trouble);
  EXPECT_NE(trouble->find("nothing was made durable for 80 s"), std::string::npos);
}

}  // namespace
}  // namespace tapeworks::recorder
