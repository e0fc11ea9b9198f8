#include "recorder/sink/page_rows.h"

#include <random>
#include <string>
#include <vector>

#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

namespace tapeworks::recorder {
namespace {

constexpr int64_t kTextBytesMax = 16;

std::shared_ptr<arrow::RecordBatch> rows_of(const std::vector<int>& lengths) {
  arrow::StringBuilder texts;
  arrow::Int64Builder numbers;
  for (const int length : lengths) {
    EXPECT_TRUE((length == 0 ? texts.AppendNull()
                             : texts.Append(std::string(static_cast<size_t>(length), 'x')))
                    .ok());
    EXPECT_TRUE(numbers.Append(length).ok());
  }
  return arrow::RecordBatch::Make(
      arrow::schema({arrow::field("text", arrow::utf8()), arrow::field("n", arrow::int64())}),
      static_cast<int64_t>(lengths.size()),
      {texts.Finish().ValueOrDie(), numbers.Finish().ValueOrDie()});
}

/// The rows of each page when they come in batches of so many.
std::vector<int64_t> pages_of(const arrow::RecordBatch& rows, int64_t batch_rows) {
  std::vector<int64_t> pages;
  int64_t page_rows = 0;
  int64_t room = kTextBytesMax;
  for (int64_t first = 0; first < rows.num_rows(); first += batch_rows) {
    const auto batch = rows.Slice(first, batch_rows);
    for (int64_t begin = 0; begin < batch->num_rows();) {
      const int64_t count = rows_that_fill(*batch, begin, batch->num_rows() - begin, room);
      page_rows += count;
      room -= text_bytes(*batch, begin, count);
      begin += count;
      if (room > 0) continue;
      pages.push_back(page_rows);
      page_rows = 0;
      room = kTextBytesMax;
    }
  }
  pages.push_back(page_rows);
  return pages;
}

TEST(PageRows, ThePageEndsWithTheRowThatFillsIt) {
  // Rows without a text behind the one that fills the page belong to the next page.
  const auto rows = rows_of({4, 4, 4, 4, 0, 0, 0, 3});
  EXPECT_EQ(rows_that_fill(*rows, 0, 8, kTextBytesMax), 4);
  EXPECT_EQ(rows_that_fill(*rows, 4, 4, kTextBytesMax), 4);
  EXPECT_EQ(rows_that_fill(*rows_of({40, 1}), 0, 2, kTextBytesMax), 1);
  EXPECT_EQ(rows_that_fill(*rows_of({1, 40, 1}), 0, 3, kTextBytesMax), 2);
  EXPECT_EQ(rows_that_fill(*rows_of({0, 0, 0}), 1, 2, kTextBytesMax), 2);
}

TEST(PageRows, PagesDoNotDependOnHowTheRowsCome) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    std::vector<int> lengths(1 + random() % 60);
    for (int& length : lengths) length = random() % 3 == 0 ? 0 : static_cast<int>(random() % 9);
    const auto rows = rows_of(lengths);
    const auto pages = pages_of(*rows, rows->num_rows());
    for (const int64_t batch_rows : {1, 2, 3, 7, 20}) EXPECT_EQ(pages_of(*rows, batch_rows), pages);
  }
}

}  // namespace
}  // namespace tapeworks::recorder
