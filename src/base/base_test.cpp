#include <atomic>
#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "base/calendar_day.h"
#include "base/double_double.h"
#include "base/printable_text.h"
#include "base/row_progress.h"
#include "base/thread_tasks.h"
#include "base/units.h"

namespace tapeworks {
namespace {

TEST(CalendarDay, TextAndNumberAgree) {
  EXPECT_EQ(parse_day("1970-01-01"), Day{0});
  EXPECT_EQ(parse_day("2023-01-01"), Day{19358});
  EXPECT_EQ(to_string(Day{19358}), "2023-01-01");
  EXPECT_EQ(to_compact_string(Day{19358}), "20230101");
  for (int32_t day = -719'000; day < 800'000; day += 997) {
    const std::string text = to_string(Day{day});
    if (text.size() == 10) {
      ASSERT_EQ(parse_day(text), Day{day}) << text;
    }
  }
}

TEST(CalendarDay, RefusesWhatIsNoDay) {
  for (const char* text : {"2023-02-29", "2023-13-01", "2023-00-10", "2023-1-1", "20230101",
                           "2023-01-01 ", "2023/01/01", "", "abcd-ef-gh", "2023-01-32"}) {
    EXPECT_FALSE(parse_day(text)) << text;
  }
  EXPECT_TRUE(parse_day("2024-02-29"));
}

TEST(CalendarDay, ALeapDayHasAnAnniversary) {
  EXPECT_EQ(to_string(years_before(*parse_day("2024-02-29"), 1)), "2023-02-28");
  EXPECT_EQ(to_string(years_before(*parse_day("2024-02-29"), 4)), "2020-02-29");
  EXPECT_EQ(to_string(years_before(*parse_day("2024-03-01"), 1)), "2023-03-01");
}

TEST(Units, SizesNeedTheirUnit) {
  EXPECT_EQ(parse_byte_size("2GiB").value(), 2 * kGiB);
  EXPECT_EQ(parse_byte_size("1.5MiB").value(), 3 * kMiB / 2);
  EXPECT_EQ(parse_byte_size("10MB").value(), 10'000'000U);
  for (const char* text : {"2", "GiB", "-1GiB", "2 GiB", "2gib", "nanGiB", "1e99TiB", ""}) {
    EXPECT_FALSE(parse_byte_size(text)) << text;
  }
}

TEST(Units, DurationsNeedTheirUnit) {
  EXPECT_EQ(parse_duration("500ms").value().count(), 500);
  EXPECT_EQ(parse_duration("1.5h").value().count(), 5'400'000);
  EXPECT_EQ(parse_duration("0s").value().count(), 0);
  for (const char* text : {"5", "h", "-1s", "1w", ""}) EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(DoubleDouble, KeepsWhatADoubleLoses) {
  DoubleDouble sum;
  sum.add(1e16);
  for (int i = 0; i < 1000; ++i) sum.add(0.1);
  sum.add(-1e16);
  EXPECT_NEAR(sum.value(), 100.0, 1e-11);
  DoubleDouble product;
  product.add_product(1e8 + 1, 1e8 + 1);
  product.add(-1e16);
  EXPECT_EQ(product.value(), 2e8 + 1);
}

// Rankings of compat modes take it.
TEST(DoubleDouble, HighIsThePlainSum) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> term(-1e9, 1e9);
  double plain = 0;
  DoubleDouble sum;
  for (int i = 0; i < 1000; ++i) {
    const double each = term(random);
    plain += each;
    sum.add(each);
  }
  EXPECT_EQ(sum.high, plain);
}

TEST(DoubleDouble, InfinitiesAndNansStayWhatTheyAre) {
  DoubleDouble sum;
  sum.add(HUGE_VAL);
  sum.add(-1.0);
  EXPECT_EQ(sum.value(), HUGE_VAL);
  sum.add(-HUGE_VAL);
  EXPECT_TRUE(std::isnan(sum.value()));
}

TEST(PrintableText, KeepsLettersAndEscapesEverythingElse) {
  EXPECT_EQ(printable_text("2330 國泰"), "2330 國泰");
  EXPECT_EQ(printable_text(std::string_view("a\n\0b", 4)), "a\\x0a\\x00b");
  EXPECT_EQ(printable_text("\xff\xc0\x80\xe5\x9c"), "\\xff\\xc0\\x80\\xe5\\x9c");
  EXPECT_EQ(printable_text("abcdef", 4), "abcd... (6 bytes)");
}

TEST(FirstNames, AreFiveAtMost) {
  std::vector<std::string> names;
  EXPECT_EQ(first_names(names), "");
  names = {"a", "b", "c", "d", "e"};
  EXPECT_EQ(first_names(names), "a, b, c, d, e");
  names.push_back("f");
  EXPECT_EQ(first_names(names), "a, b, c, d, e, ...");
}

TEST(RunTasks, RunsEveryTaskOnce) {
  for (const size_t threads : {1, 2, 7}) {
    std::vector<std::atomic<int>> runs(1000);
    const auto status = run_tasks(runs.size(), threads, [&](size_t index, size_t worker) -> Status {
      EXPECT_LT(worker, threads);
      ++runs[index];
      return {};
    });
    EXPECT_TRUE(status);
    for (const auto& count : runs) EXPECT_EQ(count, 1);
  }
}

TEST(RunTasks, AnswersWithTheFirstFailureWhateverTheTiming) {
  for (int round = 0; round < 200; ++round) {
    const auto status = run_tasks(100, 4, [&](size_t index, size_t) -> Status {
      if (index % 10 == 7) return corrupt("task {}", index);
      return {};
    });
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().message, "task 7");
  }
}

TEST(RunTasks, AnExceptionBecomesAnError) {
  const auto status =
      run_tasks(3, 2, [](size_t, size_t) -> Status { throw std::runtime_error("lost"); });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kInternal);
}

TEST(RowProgress, SaysHowManyOfHowManyAndHowFast) {
  EXPECT_EQ(RowProgress::text("reading closes", 1'200'000, 3'400'000, 3),
            "reading closes: 1,200,000 of about 3,400,000 rows, 400,000 a second");
  EXPECT_EQ(RowProgress::text("reading closes", 999, 0, 0.5),
            "reading closes: 999 rows, 1,998 a second");
  // A guess that was too low is no longer told.
  EXPECT_EQ(RowProgress::text("reading closes", 1000, 10, 0),
            "reading closes: 1,000 rows, 0 a second");
}

}  // namespace
}  // namespace tapeworks
