#include "storage/parquet_stream_writer.h"

#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include <arrow/builder.h>
#include <arrow/table.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/statistics.h>

#include "storage/parquet_read.h"
#include "storage/parquet_write.h"
#include "storage/posix_file.h"
#include "storage/scratch_folder.h"

namespace tapeworks {
namespace {

std::shared_ptr<arrow::Table> make_rows(const std::shared_ptr<arrow::Schema>& schema, int64_t first,
                                        int64_t count) {
  arrow::UInt64Builder numbers;
  arrow::TimestampBuilder times(schema->field(1)->type(), arrow::default_memory_pool());
  arrow::StringBuilder texts;
  for (int64_t row = first; row < first + count; ++row) {
    EXPECT_TRUE(numbers.Append(~uint64_t{0} - static_cast<uint64_t>(row)).ok());
    EXPECT_TRUE((row % 3 == 0 ? times.AppendNull() : times.Append(row * 1'000)).ok());
    EXPECT_TRUE(texts.Append("text " + std::to_string(row % 7)).ok());
  }
  return arrow::Table::Make(schema, {numbers.Finish().ValueOrDie(), times.Finish().ValueOrDie(),
                                     texts.Finish().ValueOrDie()});
}

std::shared_ptr<arrow::Schema> test_schema() {
  return arrow::schema({arrow::field("number", arrow::uint64(), false),
                        arrow::field("time", arrow::timestamp(arrow::TimeUnit::NANO, "UTC")),
                        arrow::field("text", arrow::utf8())});
}

class ParquetStreamWriterTest : public testing::Test {
 protected:
  ScratchFolder scratch_ = ScratchFolder::make({}).value();
};

TEST_F(ParquetStreamWriterTest, AStreamOfRowGroupsHasTheBytesOfTheWholeTable) {
  const auto schema = test_schema();
  ParquetStreamWriter writer(arrow::default_memory_pool());
  const auto path = scratch_.path() / "a.parquet";
  ASSERT_TRUE(writer.open(path, schema));
  ASSERT_TRUE(writer.append_row_group(*make_rows(schema, 0, 1'000)));
  ASSERT_TRUE(writer.append_row_group(*make_rows(schema, 1'000, 500)));
  const auto written = writer.finish({{"a.key", "value"}});
  ASSERT_TRUE(written);
  EXPECT_EQ(written->row_count, 1'500U);

  ParquetWriteOptions options;
  options.metadata = {{"a.key", "value"}};
  options.row_group_rows_max = 1'000;
  options.store_dictionary_types = false;
  const auto whole =
      encode_parquet(*make_rows(schema, 0, 1'500), options, arrow::default_memory_pool());
  ASSERT_TRUE(whole);
  EXPECT_EQ(read_text_file(path).value(), (*whole)->ToString());

  const FileDescriptor file = open_file(path, O_RDONLY).value();
  const auto content = hash_content(file, path, nullptr, {}).value();
  EXPECT_EQ(content.byte_count, written->byte_count);
  EXPECT_EQ(content.xxh3, written->xxh3);
}

TEST_F(ParquetStreamWriterTest, ARowGroupOfOnePageHasTheBytesOfThatRowGroup) {
  const auto schema = test_schema();
  ParquetStreamWriter writer(arrow::default_memory_pool());
  for (const char* const name : {"whole", "paged"}) {
    ASSERT_TRUE(writer.open(scratch_.path() / name, schema));
    for (const int64_t first : {0, 1'000}) {
      const auto rows = make_rows(schema, first, 1'000);
      if (std::string_view(name) == "whole") {
        ASSERT_TRUE(writer.append_row_group(*rows));
      } else {
        ASSERT_TRUE(writer.append_page(*rows));
        ASSERT_TRUE(writer.end_row_group());
      }
    }
    ASSERT_TRUE(writer.finish({}));
  }
  EXPECT_EQ(read_text_file(scratch_.path() / "paged").value(),
            read_text_file(scratch_.path() / "whole").value());
}

/// Ends the row group and the file, which then has the rows of `expected`. Returns its footer.
std::shared_ptr<parquet::FileMetaData> finish_and_read(ParquetStreamWriter& writer,
                                                       const std::filesystem::path& path,
                                                       const arrow::Table& expected) {
  EXPECT_TRUE(writer.end_row_group());
  EXPECT_TRUE(writer.finish({}));
  const auto back = read_parquet(path, {}, arrow::default_memory_pool());
  EXPECT_TRUE(back) << (back ? "" : back.error().message);
  EXPECT_TRUE(back && (*back)->Equals(expected));
  return parquet::ParquetFileReader::OpenFile(path.string())->metadata();
}

/// A column of each type that a recording's tables have; every fifth value is null.
std::shared_ptr<arrow::Table> rows_of_many_types(int64_t count) {
  arrow::FieldVector fields;
  arrow::ChunkedArrayVector columns;
  const auto add = [&](const char* name, auto&& builder, auto value_of) {
    for (int64_t row = 0; row < count; ++row) {
      EXPECT_TRUE((row % 5 == 0 ? builder.AppendNull() : builder.Append(value_of(row))).ok());
    }
    fields.push_back(arrow::field(name, builder.type()));
    columns.push_back(std::make_shared<arrow::ChunkedArray>(builder.Finish().ValueOrDie()));
  };
  add("int32", arrow::Int32Builder(), [](int64_t row) { return static_cast<int32_t>(-row); });
  add("uint32", arrow::UInt32Builder(),
      [](int64_t row) { return ~uint32_t{0} - static_cast<uint32_t>(row); });
  add("int64", arrow::Int64Builder(), [](int64_t row) { return row << 40; });
  add("uint64", arrow::UInt64Builder(),
      [](int64_t row) { return ~uint64_t{0} - static_cast<uint64_t>(row); });
  add("double", arrow::DoubleBuilder(),
      [](int64_t row) { return 0.01 * static_cast<double>(row); });
  add("binary", arrow::BinaryBuilder(),
      [](int64_t row) { return std::string(static_cast<size_t>(row % 7), '\0'); });
  add("long text", arrow::StringBuilder(),
      [](int64_t row) { return std::string(2'000, 'x') + std::to_string(row); });
  return arrow::Table::Make(arrow::schema(fields), columns, count);
}

TEST_F(ParquetStreamWriterTest, AFastFileHasPlainNumbersAndNothingCompressed) {
  const auto expected = rows_of_many_types(2'000);
  ParquetStreamWriter writer(arrow::default_memory_pool(), PagePacking::kFast);
  for (const char* const name : {"whole", "paged"}) {
    const auto path = scratch_.path() / name;
    ASSERT_TRUE(writer.open(path, expected->schema()));
    if (std::string_view(name) == "whole") {
      ASSERT_TRUE(writer.append_row_group(*expected->Slice(0, 1'500)));
      ASSERT_TRUE(writer.append_page(*expected->Slice(1'500)));
    } else {
      for (const int64_t first : {0, 1'000}) {
        ASSERT_TRUE(writer.append_page(*expected->Slice(first, 1'000)));
      }
    }
    const auto footer = finish_and_read(writer, path, *expected);
    const auto row_group = footer->RowGroup(0);
    for (int column = 0; column < expected->num_columns(); ++column) {
      const auto chunk = row_group->ColumnChunk(column);
      EXPECT_EQ(chunk->compression(), arrow::Compression::UNCOMPRESSED) << column;
      EXPECT_EQ(chunk->total_compressed_size(), chunk->total_uncompressed_size()) << column;
      const bool is_number = column < 5;
      if (!is_number) continue;
      for (const auto& pages : chunk->encoding_stats()) {
        EXPECT_EQ(pages.encoding, parquet::Encoding::PLAIN) << column;
      }
    }
    const auto doubles = std::static_pointer_cast<parquet::DoubleStatistics>(
        row_group->ColumnChunk(4)->statistics());
    ASSERT_NE(doubles, nullptr);
    EXPECT_EQ(doubles->min(), 0.01);
    EXPECT_EQ(doubles->null_count(), row_group->num_rows() / 5);
  }
}

TEST_F(ParquetStreamWriterTest, RowsOfPagesComeBackWithOneDictionaryAndTheRangeOfAll) {
  const auto schema = test_schema();
  ParquetStreamWriter writer(arrow::default_memory_pool());
  const auto path = scratch_.path() / "pages";
  ASSERT_TRUE(writer.open(path, schema));
  const auto expected = make_rows(schema, 0, 2'000);
  for (const auto& [first, count] : {std::pair<int64_t, int64_t>{0, 3}, {3, 700}, {703, 1'297}}) {
    ASSERT_TRUE(writer.append_page(*expected->Slice(first, count)));
  }
  const auto footer = finish_and_read(writer, path, *expected);
  const auto row_group = footer->RowGroup(0);
  ASSERT_EQ(row_group->num_rows(), 2'000);
  const auto numbers = row_group->ColumnChunk(0)->statistics();
  EXPECT_EQ(numbers->null_count(), 0);
  const auto range_of = [](const auto& statistics) {
    uint64_t least = 0;
    uint64_t most = 0;
    std::memcpy(&least, statistics.EncodeMin().data(), sizeof least);
    std::memcpy(&most, statistics.EncodeMax().data(), sizeof most);
    return std::pair(least, most);
  };
  EXPECT_EQ(range_of(*numbers), std::pair(~uint64_t{0} - 1'999, ~uint64_t{0}));
  EXPECT_EQ(row_group->ColumnChunk(1)->statistics()->null_count(), 667);
  const auto texts = row_group->ColumnChunk(2)->statistics();
  EXPECT_EQ(texts->EncodeMin(), "text 0");
  EXPECT_EQ(texts->EncodeMax(), "text 6");
}

TEST_F(ParquetStreamWriterTest, RowGroupsThatAreNotEndedOrHaveNoPageAreRefused) {
  const auto schema = test_schema();
  ParquetStreamWriter writer(arrow::default_memory_pool());
  const auto rows = make_rows(schema, 0, 10);
  ASSERT_TRUE(writer.open(scratch_.path() / "no page", schema));
  EXPECT_FALSE(writer.end_row_group());
  ASSERT_TRUE(writer.open(scratch_.path() / "inside", schema));
  ASSERT_TRUE(writer.append_page(*rows));
  EXPECT_FALSE(writer.append_row_group(*rows));
  ASSERT_TRUE(writer.open(scratch_.path() / "open", schema));
  ASSERT_TRUE(writer.append_page(*rows));
  EXPECT_FALSE(writer.finish({}));
}

/// The dictionary of such a chunk keeps what fitted.
TEST_F(ParquetStreamWriterTest, TextsThatFillTheDictionaryGoOnWithoutIt) {
  constexpr int64_t kPageRows = 1'000;
  constexpr int64_t kPages = 4;
  arrow::StringBuilder texts;
  for (int64_t row = 0; row < kPages * kPageRows; ++row) {
    const std::string text = fmt::format("{:0600}", row * 7'919 % (kPages * kPageRows));
    ASSERT_TRUE((row % 10 == 4 ? texts.AppendNull() : texts.Append(text)).ok());
  }
  const auto schema = arrow::schema({arrow::field("text", arrow::utf8())});
  const auto expected = arrow::Table::Make(schema, {texts.Finish().ValueOrDie()});
  for (const int64_t page_rows : {kPageRows, 3 * kPageRows}) {
    ParquetStreamWriter writer(arrow::default_memory_pool());
    const auto path = scratch_.path() / fmt::format("texts {}", page_rows);
    ASSERT_TRUE(writer.open(path, schema));
    for (int64_t row = 0; row < expected->num_rows(); row += page_rows) {
      ASSERT_TRUE(writer.append_page(*expected->Slice(row, page_rows)));
    }
    const auto footer = finish_and_read(writer, path, *expected);
    const auto row_group = footer->RowGroup(0);
    const auto chunk = row_group->ColumnChunk(0);
    // Two pages of 1,000 texts are too many; the first page of 3,000 is already.
    EXPECT_EQ(chunk->has_dictionary_page(), page_rows == kPageRows);
    EXPECT_EQ(chunk->statistics()->EncodeMin(), fmt::format("{:0600}", 0));
    EXPECT_EQ(chunk->statistics()->EncodeMax(), fmt::format("{:0600}", kPages * kPageRows - 1));
  }
}

TEST_F(ParquetStreamWriterTest, AWriterMakesOneFileAfterTheOther) {
  const auto schema = test_schema();
  ParquetStreamWriter writer(arrow::default_memory_pool());
  ASSERT_TRUE(writer.open(scratch_.path() / "unfinished", schema));
  ASSERT_TRUE(writer.append_row_group(*make_rows(schema, 0, 10)));
  for (const int64_t rows : {1, 70'000, 0}) {
    const auto path = scratch_.path() / std::to_string(rows);
    ASSERT_TRUE(writer.open(path, schema));
    const auto expected = make_rows(schema, 5, rows);
    if (rows != 0) {
      ASSERT_TRUE(writer.append_row_group(*expected));
    }
    ASSERT_TRUE(writer.finish({}));
    const auto back = read_parquet(path, {}, arrow::default_memory_pool());
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_TRUE((*back)->Equals(*expected));
  }
}

TEST_F(ParquetStreamWriterTest, WhatAnUnusuallyLargePageTookIsGivenBack) {
  const auto schema = arrow::schema({arrow::field("text", arrow::utf8())});
  arrow::MemoryPool* const pool = arrow::default_memory_pool();
  const int64_t before = pool->bytes_allocated();
  ParquetStreamWriter writer(pool);
  ASSERT_TRUE(writer.open(scratch_.path() / "a.parquet", schema));
  {
    arrow::StringBuilder texts;
    for (char letter = 'a'; letter <= 'z'; ++letter) {
      ASSERT_TRUE(texts.Append(std::string(size_t{1} << 20, letter)).ok());
    }
    const auto rows = arrow::Table::Make(schema, {texts.Finish().ValueOrDie()});
    ASSERT_TRUE(writer.append_page(*rows));
    ASSERT_TRUE(writer.end_row_group());
  }
  EXPECT_GT(pool->bytes_allocated() - before, 26 << 20);
  ASSERT_TRUE(writer.finish({}));
  EXPECT_LT(pool->bytes_allocated() - before, 4 << 20);
}

TEST_F(ParquetStreamWriterTest, AFileThatExistsIsNotOverwritten) {
  const auto path = scratch_.path() / "there";
  ASSERT_TRUE(write_synced_file(path, "text"));
  ParquetStreamWriter writer(arrow::default_memory_pool());
  EXPECT_FALSE(writer.open(path, test_schema()));
  EXPECT_EQ(read_text_file(path).value(), "text");
}

TEST_F(ParquetStreamWriterTest, IntegersAreInAnEncodingThatOlderReadersKnow) {
  arrow::Int32Builder values;
  ASSERT_TRUE(values.AppendValues({7, -1, 2'000'000'000}).ok());
  const auto schema = arrow::schema({arrow::field("i32", arrow::int32(), false)});
  const auto rows = arrow::Table::Make(schema, {values.Finish().ValueOrDie()});
  ParquetStreamWriter writer(arrow::default_memory_pool());
  const auto path = scratch_.path() / "integers.parquet";
  ASSERT_TRUE(writer.open(path, schema));
  ASSERT_TRUE(writer.append_row_group(*rows));
  ASSERT_TRUE(writer.finish({}));
  const auto footer = parquet::ParquetFileReader::OpenFile(path.string())->metadata();
  for (const auto encoding : footer->RowGroup(0)->ColumnChunk(0)->encodings()) {
    EXPECT_NE(encoding, parquet::Encoding::BYTE_STREAM_SPLIT);
  }
  EXPECT_TRUE((*read_parquet(path, {}, arrow::default_memory_pool()))->Equals(*rows));
}

}  // namespace
}  // namespace tapeworks
