#include "recorder/net/clock_script.h"

#include <gtest/gtest.h>

namespace tapeworks::net {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kHourNs = 3'600 * kSecondNs;

TEST(ClockScript, TimeRunsFasterAndTheWallClockIsSet) {
  const auto script = ClockScript::parse(
      "# a day in six minutes\nbegin 1000000\nanchor 50\nspeed 240\n\n"
      "at 6h wall 2h # forwards\nat 8h wall -3h\n",
      "clock.txt");
  ASSERT_TRUE(script) << script.error().message;
  EXPECT_EQ(script->speed(), 240);
  const auto after = [&](int64_t machine_seconds) {
    return script->at({(50 + machine_seconds) * kSecondNs, 0});
  };
  EXPECT_EQ(after(0).wall_ns, 1'000'000 * kSecondNs);
  EXPECT_EQ(after(0).monotonic_ns, 0);
  EXPECT_EQ(after(15).monotonic_ns, kHourNs);
  EXPECT_EQ(after(15).wall_ns, 1'000'000 * kSecondNs + kHourNs);
  EXPECT_EQ(after(90).wall_ns, 1'000'000 * kSecondNs + 8 * kHourNs);
  EXPECT_EQ(after(120).wall_ns, 1'000'000 * kSecondNs + 7 * kHourNs);
  EXPECT_EQ(after(120).monotonic_ns, 8 * kHourNs);
}

TEST(ClockScript, WhatIsNoScriptIsRefusedWithItsLine) {
  for (const char* const line :
       {"at 6h", "at -1h wall 1h", "at 6h wall x", "speed 0", "speed 1000000", "speed -1", "begin",
        "begin x", "begin 1e300", "begin nan", "sometimes 5", "at 6h speed 5"}) {
    const auto script = ClockScript::parse(std::string("begin 1\nanchor 1\n") + line, "clock.txt");
    ASSERT_FALSE(script) << line;
    EXPECT_EQ(script.error().kind, ErrorKind::kInvalidArgument);
    EXPECT_NE(script.error().message.find("clock.txt:3: "), std::string::npos) << line;
  }
  EXPECT_FALSE(ClockScript::parse("begin 1\n", "clock.txt"));
  EXPECT_FALSE(ClockScript::read("/nonexistent/clock.txt"));
}

}  // namespace
}  // namespace tapeworks::net
