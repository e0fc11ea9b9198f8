#include "storage/fast_file_reader.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <string>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/table.h>
#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "storage/parquet_read.h"
#include "storage/parquet_stream_writer.h"
#include "storage/posix_file.h"
#include "storage/scratch_folder.h"

namespace tapeworks {
namespace {

/// Whether row `row` of the n-th column is null.
using IsNull = std::function<bool(int64_t row, int column)>;

/// A column of each type that the recorder's tables have, and one that is never null.
std::shared_ptr<arrow::Table> make_rows(int64_t count, const IsNull& is_null,
                                        const std::shared_ptr<arrow::Schema>& known = nullptr) {
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  const auto add = [&](const char* name, auto&& builder, auto value_of, bool nullable = true) {
    const int column = static_cast<int>(columns.size());
    for (int64_t row = 0; row < count; ++row) {
      const bool is_there = !nullable || !is_null(row, column);
      EXPECT_TRUE((is_there ? builder.Append(value_of(row)) : builder.AppendNull()).ok());
    }
    fields.push_back(arrow::field(name, builder.type(), nullable));
    columns.push_back(builder.Finish().ValueOrDie());
  };
  const auto time = arrow::timestamp(arrow::TimeUnit::NANO, "UTC");
  add("lsn", arrow::UInt64Builder(), [](int64_t row) { return static_cast<uint64_t>(row); }, false);
  add("market", arrow::StringBuilder(), [](int64_t) { return std::string("spot"); }, false);
  add("int32", arrow::Int32Builder(), [](int64_t row) { return static_cast<int32_t>(-row); });
  add("uint32", arrow::UInt32Builder(),
      [](int64_t row) { return ~uint32_t{0} - static_cast<uint32_t>(row); });
  add("int64", arrow::Int64Builder(), [](int64_t row) { return row * -7'919; });
  add("time", arrow::TimestampBuilder(time, arrow::default_memory_pool()),
      [](int64_t row) { return row * 1'000; });
  add("double", arrow::DoubleBuilder(),
      [](int64_t row) { return 0.01 * static_cast<double>(row); });
  add("text", arrow::StringBuilder(),
      [](int64_t row) { return fmt::format("text {}", row % 300); });
  add("binary", arrow::BinaryBuilder(),
      [](int64_t row) { return std::string(static_cast<size_t>(row % 7), '\0'); });
  return arrow::Table::Make(known ? known : arrow::schema(fields), columns, count);
}

class FastFileReaderTest : public testing::Test {
 protected:
  std::filesystem::path write(const arrow::Table& rows, PagePacking packing = PagePacking::kFast,
                              int64_t page_rows = 0) {
    const auto path = scratch_.path() / fmt::format("{}.part", ++file_count_);
    ParquetStreamWriter writer(arrow::default_memory_pool(), packing);
    EXPECT_TRUE(writer.open(path, rows.schema()));
    if (page_rows == 0) {
      EXPECT_TRUE(writer.append_row_group(rows));
    } else {
      for (int64_t row = 0; row < rows.num_rows(); row += page_rows) {
        EXPECT_TRUE(writer.append_page(*rows.Slice(row, page_rows)));
      }
      EXPECT_TRUE(writer.end_row_group());
    }
    EXPECT_TRUE(writer.finish({{"a.key", "value"}}));
    return path;
  }

  void expect_back(const std::filesystem::path& path, const arrow::Table& rows) {
    const auto back = reader_.read(path, rows.schema());
    ASSERT_NE(back, nullptr);
    EXPECT_TRUE(back->ValidateFull().ok());
    EXPECT_TRUE(back->Equals(rows));
    EXPECT_EQ(back->schema()->metadata()->Get("a.key").ValueOr(""), "value");
  }

  ScratchFolder scratch_ = ScratchFolder::make({}).value();
  FastFileReader reader_{arrow::default_memory_pool()};
  int file_count_ = 0;
};

bool never_null(int64_t, int) { return false; }

TEST_F(FastFileReaderTest, RowsComeBackHoweverManyAreNull) {
  std::mt19937_64 random(7);
  for (const int64_t count : {1, 7, 8, 9, 1'000, 20'011}) {
    for (const double share : {0.0, 0.01, 0.5, 1.0}) {
      SCOPED_TRACE(fmt::format("{} rows, {} null", count, share));
      std::bernoulli_distribution is_null(share);
      const auto rows = make_rows(count, [&](int64_t, int) { return is_null(random); });
      expect_back(write(*rows), *rows);
    }
  }
}

TEST_F(FastFileReaderTest, NullsInRunsComeBack) {
  const auto rows =
      make_rows(5'000, [](int64_t row, int column) { return row / (column * 50 + 1) % 2 == 0; });
  expect_back(write(*rows), *rows);
}

TEST_F(FastFileReaderTest, ChunksOfSeveralPagesComeBack) {
  // Nulls in some of the pages only.
  const auto rows = make_rows(9'001, [](int64_t row, int) { return row > 4'000 && row % 3 == 0; });
  expect_back(write(*rows, PagePacking::kFast, 1'003), *rows);
}

TEST_F(FastFileReaderTest, TextsWithoutADictionaryComeBack) {
  arrow::StringBuilder texts;
  arrow::UInt64Builder numbers;
  for (uint64_t row = 0; row < 3'000; ++row) {
    ASSERT_TRUE(
        (row % 5 == 0 ? texts.AppendNull() : texts.Append(fmt::format("{:0900}", row))).ok());
    ASSERT_TRUE(numbers.Append(row).ok());
  }
  const auto schema = arrow::schema(
      {arrow::field("lsn", arrow::uint64(), false), arrow::field("text", arrow::utf8())});
  const auto rows = arrow::Table::Make(
      schema, {numbers.Finish().ValueOrDie(), texts.Finish().ValueOrDie()}, 3'000);
  expect_back(write(*rows), *rows);
  expect_back(write(*rows, PagePacking::kFast, 700), *rows);  // a dictionary that becomes full
}

TEST_F(FastFileReaderTest, OneFileComesAfterTheOther) {
  const auto schema = make_rows(1, never_null)->schema();
  for (const int64_t count : {300, 70'000, 1}) {
    const auto rows = make_rows(count, never_null, schema);
    expect_back(write(*rows), *rows);
  }
  const auto other = make_rows(300, never_null)->SelectColumns({0, 5}).ValueOrDie();
  expect_back(write(*other), *other);
}

TEST_F(FastFileReaderTest, WhatIsNoSuchFileIsLeftToOthers) {
  const auto rows = make_rows(1'000, never_null);
  const auto other =
      make_rows(1'000, never_null)->RenameColumns({"a", "b", "c", "d", "e", "f", "g", "h", "i"});
  EXPECT_EQ(reader_.read(write(*rows), (*other)->schema()), nullptr);
  EXPECT_EQ(reader_.read(write(*rows, PagePacking::kSmall), rows->schema()), nullptr);
  EXPECT_EQ(reader_.read(scratch_.path() / "nothing", rows->schema()), nullptr);
  const auto text = scratch_.path() / "text";
  ASSERT_TRUE(write_synced_file(text, "PAR1"));
  EXPECT_EQ(reader_.read(text, rows->schema()), nullptr);
}

/// A damaged file is read as the library reads it, or left to it.
TEST_F(FastFileReaderTest, AFlippedByteNeverGivesOtherRowsThanTheLibraryReads) {
  const auto rows = make_rows(120, [](int64_t row, int column) { return (row + column) % 3 == 0; });
  const std::string whole = read_text_file(write(*rows)).value();
  const auto path = scratch_.path() / "damaged";
  int read_count = 0;
  for (size_t at = 0; at < whole.size(); ++at) {
    const char mask = at % 2 == 0 ? '\x01' : '\xff';
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ mask);
    std::ofstream(path) << damaged;
    const auto fast = reader_.read(path, rows->schema());
    if (fast == nullptr) continue;
    ++read_count;
    const auto slow = read_parquet(path, {}, arrow::default_memory_pool());
    EXPECT_TRUE(slow && fast->Equals(**slow)) << fmt::format(
        "byte {} by {:02x}: {}", at, mask, slow ? "other rows" : slow.error().message);
  }
  EXPECT_GT(read_count, 0);
}

TEST_F(FastFileReaderTest, ATruncatedFileIsLeftToOthers) {
  const auto rows = make_rows(50, never_null);
  const std::string whole = read_text_file(write(*rows)).value();
  const auto path = scratch_.path() / "truncated";
  for (size_t size = 0; size < whole.size(); size += 7) {
    std::ofstream(path) << whole.substr(0, size);
    EXPECT_EQ(reader_.read(path, rows->schema()), nullptr) << size;
  }
}

TEST_F(FastFileReaderTest, AFileThatLacksBytesInTheMiddleNeverGivesOtherRowsThanTheLibraryReads) {
  const auto rows = make_rows(50, [](int64_t row, int) { return row % 3 == 0; });
  const std::string whole = read_text_file(write(*rows)).value();
  const auto path = scratch_.path() / "shorter";
  for (size_t at = 4; at < whole.size() - 8; at += 5) {
    for (const size_t count : {1, 40}) {
      std::ofstream(path) << whole.substr(0, at)
                          << whole.substr(std::min(at + count, whole.size()));
      const auto fast = reader_.read(path, rows->schema());
      if (fast == nullptr) continue;
      const auto slow = read_parquet(path, {}, arrow::default_memory_pool());
      EXPECT_TRUE(slow && fast->Equals(**slow)) << at << ' ' << count;
    }
  }
}

TEST_F(FastFileReaderTest, WhatAnUnusuallyLargeFileTookIsGivenBack) {
  arrow::MemoryPool* const pool = arrow::default_memory_pool();
  const auto schema = make_rows(1, never_null)->schema();
  const auto path = write(*make_rows(400'000, never_null, schema));
  const int64_t before = pool->bytes_allocated();
  ASSERT_NE(reader_.read(path, schema), nullptr);
  EXPECT_LT(pool->bytes_allocated() - before, 2 << 20);
}

}  // namespace
}  // namespace tapeworks
