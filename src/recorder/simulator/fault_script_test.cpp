#include "recorder/simulator/fault_script.h"

#include <gtest/gtest.h>

namespace tapeworks::simulator {
namespace {

TEST(FaultScript, ReadsWhenWhereAndHow) {
  const auto faults = parse_fault_script(
      "# comment\n\n"
      R"({"message":100,"venue":"gate_spot","connection":2,"fault":"gap","count":3})"
      "\r\n"
      R"({"every":"1.5s","fault":"close","code":1012,"reason":"r"})",
      "s");
  ASSERT_TRUE(faults) << faults.error().message;
  ASSERT_EQ(faults->size(), 2U);
  const Fault& gap = (*faults)[0];
  EXPECT_EQ(gap.kind, FaultKind::kGap);
  EXPECT_EQ(gap.message, 100U);
  EXPECT_EQ(gap.venue, Venue::kGateSpot);
  EXPECT_EQ(gap.connection, 2U);
  EXPECT_EQ(gap.count, 3U);
  EXPECT_FALSE(gap.at);
  const Fault& close = (*faults)[1];
  EXPECT_EQ(close.every, std::chrono::milliseconds(1500));
  EXPECT_EQ(close.code, 1012);
  EXPECT_EQ(close.reason, "r");
  EXPECT_FALSE(close.venue);
}

TEST(FaultScript, TakesNegativeSkewsOnly) {
  const auto skew = parse_fault_script(R"({"at":"0s","fault":"clock_skew","duration":"-2h"})", "s");
  ASSERT_TRUE(skew) << skew.error().message;
  EXPECT_EQ((*skew)[0].duration, std::chrono::hours(-2));
  EXPECT_FALSE(parse_fault_script(R"({"at":"0s","fault":"silence","duration":"-2h"})", "s"));
  EXPECT_FALSE(parse_fault_script(R"({"at":"-1s","fault":"abort"})", "s"));
  EXPECT_FALSE(parse_fault_script(R"({"every":"0s","fault":"abort"})", "s"));
}

TEST(FaultScript, RefusesSymbolsThatWouldBreakMessages) {
  for (const char* symbol : {R"(A\"B)", R"(A\\B)", R"(A\u0000B)", "A,B", ""}) {
    const std::string line = fmt::format(
        R"({{"at":"0s","venue":"gate_spot","fault":"list_symbol","symbol":"{}"}})", symbol);
    EXPECT_FALSE(parse_fault_script(line, "s")) << symbol;
  }
  EXPECT_TRUE(parse_fault_script(
      R"({"at":"0s","venue":"gate_spot","fault":"list_symbol","symbol":"../币/_USDT"})", "s"));
}

TEST(FaultScript, NamesTheLineThatIsWrong) {
  const auto faults = parse_fault_script("\n\n{]\n", "faults.jsonl");
  ASSERT_FALSE(faults);
  EXPECT_EQ(faults.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_NE(faults.error().message.find("faults.jsonl: line 3"), std::string::npos);
}

}  // namespace
}  // namespace tapeworks::simulator
