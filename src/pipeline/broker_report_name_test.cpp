#include "pipeline/broker_report_name.h"

#include <gtest/gtest.h>

namespace tapeworks {
namespace {

using Symbols = std::vector<std::string>;

TEST(BrokerReportName, FindsDayAndSymbol) {
  for (const char* text : {"2330_20230103.csv", "20230103-2330.CSV", "BSR_2330_2023-01-03.csv",
                           "2023-01-03 2330 (1).csv"}) {
    const BrokerReportName name = parse_report_name(text);
    ASSERT_EQ(name.days.size(), 1U) << text;
    EXPECT_EQ(to_string(name.days[0]), "2023-01-03") << text;
    EXPECT_EQ(name.symbols, Symbols{"2330"}) << text;
  }
}

TEST(BrokerReportName, WhatIsNoDayIsNoDay) {
  EXPECT_TRUE(parse_report_name("2330_20230230.csv").days.empty());
  EXPECT_TRUE(parse_report_name("2330_18991231.csv").days.empty());
  EXPECT_TRUE(parse_report_name("2330_120230103.csv").days.empty());
  EXPECT_TRUE(parse_report_name("2330.csv").days.empty());
}

TEST(BrokerReportName, KeepsAllDaysThatDiffer) {
  EXPECT_EQ(parse_report_name("20230103_2330_20230103.csv").days.size(), 1U);
  EXPECT_EQ(parse_report_name("20230104_2330_20230103.csv").days.size(), 2U);
}

TEST(BrokerReportName, JudgesTheSymbolOnlyWhereTheNameTells) {
  EXPECT_TRUE(parse_report_name("20230103.csv").allows("2330"));
  EXPECT_TRUE(parse_report_name("report7.csv").allows("2330"));
  EXPECT_TRUE(parse_report_name("00632r.csv").allows("00632R"));
  EXPECT_TRUE(parse_report_name("2330_20230103_153000.csv").allows("2330"));
  EXPECT_FALSE(parse_report_name("1101_20230103.csv").allows("2330"));
  EXPECT_FALSE(parse_report_name("2330A.csv").allows("2330"));
}

}  // namespace
}  // namespace tapeworks
