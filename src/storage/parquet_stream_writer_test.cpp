#include "storage/parquet_stream_writer.h"

#include <arrow/builder.h>
#include <arrow/table.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

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
