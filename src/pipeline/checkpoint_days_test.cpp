#include "pipeline/checkpoint_days.h"

#include <gtest/gtest.h>

#include "pipeline/pnl_test_support.h"

namespace tapeworks {
namespace {

using test::day;

void check(const char* as_of, std::vector<Day> expected) {
  EXPECT_EQ(checkpoint_days(day(as_of)), expected) << as_of;
}

TEST(CheckpointDays, AreTheLastMonthEndsAndTheYearEndBefore) {
  check("2023-05-17", {day("2022-12-31"), day("2023-03-31"), day("2023-04-30")});
  check("2024-03-01", {day("2023-12-31"), day("2024-01-31"), day("2024-02-29")});
}

TEST(CheckpointDays, TheLastDayOfAMonthIsOneItself) {
  check("2023-05-30", {day("2022-12-31"), day("2023-03-31"), day("2023-04-30")});
  check("2023-05-31", {day("2022-12-31"), day("2023-04-30"), day("2023-05-31")});
}

TEST(CheckpointDays, AscendAcrossAYear) {
  check("2024-01-02", {day("2022-12-31"), day("2023-11-30"), day("2023-12-31")});
  check("2024-02-28", {day("2022-12-31"), day("2023-12-31"), day("2024-01-31")});
}

}  // namespace
}  // namespace tapeworks
