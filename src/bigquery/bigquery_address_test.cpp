#include "bigquery/bigquery_address.h"

#include <gtest/gtest.h>

namespace tapeworks::bigquery {
namespace {

std::string error_of(const std::string& text) {
  const auto address = Address::parse(text);
  EXPECT_FALSE(address) << text;
  if (address) return "";
  EXPECT_EQ(address.error().kind, ErrorKind::kInvalidArgument) << text;
  return address.error().message;
}

TEST(BigQueryAddress, ATableIsOfTheProjectThatPaysOrOfAnother) {
  const auto own = Address::parse("bigquery://my-project/market.prices");
  ASSERT_TRUE(own) << own.error().message;
  EXPECT_EQ(own->project, "my-project");
  EXPECT_EQ(own->table.sql(), "`my-project.market.prices`");
  EXPECT_EQ(own->text(), "bigquery://my-project/market.prices");

  const auto other = Address::parse("bigquery://me/example.com:theirs.market.prices?location=EU");
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ(other->project, "me");
  EXPECT_EQ(other->table.project, "example.com:theirs");
  EXPECT_EQ(other->location, "EU");
  EXPECT_EQ(other->text(), "bigquery://me/example.com:theirs.market.prices");
}

TEST(BigQueryAddress, AQueryIsDecodedAndNotTold) {
  const auto address = Address::parse("bigquery://p?query=SELECT 1+1 %26 'a%25' = b");
  ASSERT_TRUE(address) << address.error().message;
  EXPECT_EQ(address->query, "SELECT 1+1 & 'a%' = b");
  EXPECT_FALSE(address->reads_a_table());
  EXPECT_EQ(address->text(), "bigquery://p");
}

TEST(BigQueryAddress, ATableNameComesBackFromItsSql) {
  const TableName name = TableName::parse("`example.com:p.d.t-1`");
  EXPECT_EQ(name.project, "example.com:p");
  EXPECT_EQ(name.dataset, "d");
  EXPECT_EQ(name.table, "t-1");
  EXPECT_EQ(name.sql(), "`example.com:p.d.t-1`");
}

TEST(BigQueryAddress, WhatIsWrongIsNamed) {
  EXPECT_NE(error_of("bigquery:p/d.t").find("bigquery://PROJECT"), std::string::npos);
  EXPECT_NE(error_of("bigquery://").find("no project"), std::string::npos);
  EXPECT_NE(error_of("bigquery:///d.t").find("no project"), std::string::npos);
  EXPECT_NE(error_of("bigquery://p").find("either"), std::string::npos);
  EXPECT_NE(error_of("bigquery://p/").find("either"), std::string::npos);
  EXPECT_NE(error_of("bigquery://p/t").find("no DATASET.TABLE"), std::string::npos);
  EXPECT_NE(error_of("bigquery://p/d.").find("no DATASET.TABLE"), std::string::npos);
  EXPECT_NE(error_of("bigquery://p/d.t` WHERE `").find("no DATASET.TABLE"), std::string::npos);
  EXPECT_NE(error_of("bigquery://p/../x.d.t").find("no DATASET.TABLE"), std::string::npos);
  EXPECT_NE(error_of("bigquery://p/d.t?query=x").find("either"), std::string::npos);
  EXPECT_NE(error_of("bigquery://p/d.t?key=x").find("'key'"), std::string::npos);
  EXPECT_NE(error_of("bigquery://p?query=%").find("%25"), std::string::npos);
  EXPECT_NE(error_of("bigquery://p?query=x&query=y").find("twice"), std::string::npos);
  EXPECT_NE(error_of("bigquery://p?query=\xa4\xa4").find("UTF-8"), std::string::npos);
  EXPECT_NE(error_of("bigquery://p/d.\xa4\xa4").find("no DATASET.TABLE"), std::string::npos);
}

}  // namespace
}  // namespace tapeworks::bigquery
