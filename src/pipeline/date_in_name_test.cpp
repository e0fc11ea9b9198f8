#include "pipeline/date_in_name.h"

#include <gtest/gtest.h>

namespace tapeworks {
namespace {

TEST(DateInName, IsFoundInEveryUsualForm) {
  const Day day = day_from_civil(2023, 1, 3);
  for (const char* name : {"broker_tx_20230103.parquet", "20230103.parquet", "2023-01-03",
                           "tx.2023_01_03.v2.parquet", "20230103-20230103.parquet"}) {
    EXPECT_EQ(date_in_name(name), day) << name;
  }
}

TEST(DateInName, IsNothingWhereNoneOrMoreThanOneIsSaid) {
  for (const char* name :
       {"", "broker_tx.parquet", "20231303.parquet", "120230103.parquet", "202301031.parquet",
        "2023-01_03.parquet", "20230103_20230104.parquet", "2023010", "2023-02-30.parquet"}) {
    EXPECT_EQ(date_in_name(name), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace tapeworks
