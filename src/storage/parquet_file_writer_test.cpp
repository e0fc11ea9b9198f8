#include "storage/parquet_file_writer.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <arrow/array.h>
#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include "storage/parquet_read.h"

namespace tapeworks {
namespace {

namespace fs = std::filesystem;

std::shared_ptr<arrow::Schema> numbers_schema() {
  return arrow::schema({arrow::field("number", arrow::int64()),
                        arrow::field("word", arrow::dictionary(arrow::int32(), arrow::utf8()))});
}

std::shared_ptr<arrow::RecordBatch> batch_of(const std::vector<int64_t>& numbers) {
  arrow::Int64Builder values;
  arrow::Int32Builder indices;
  arrow::StringBuilder words;
  EXPECT_TRUE(values.AppendValues(numbers).ok());
  for (const int64_t number : numbers) {
    EXPECT_TRUE(indices.Append(static_cast<int32_t>(number % 2)).ok());
  }
  EXPECT_TRUE(words.AppendValues({"even", "odd"}).ok());
  const auto word =
      arrow::DictionaryArray::FromArrays(numbers_schema()->field(1)->type(),
                                         indices.Finish().ValueOrDie(), words.Finish().ValueOrDie())
          .ValueOrDie();
  return arrow::RecordBatch::Make(numbers_schema(), static_cast<int64_t>(numbers.size()),
                                  {values.Finish().ValueOrDie(), word});
}

class ParquetFile : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        fs::path(testing::TempDir()) / (std::string("tapeworks-parquet-file-") + test->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  Result<ParquetFileWriter> open(const ParquetFileOptions& options = {}) const {
    return ParquetFileWriter::open(path(), numbers_schema(), options, arrow::default_memory_pool());
  }
  fs::path path() const { return folder_ / "numbers.parquet"; }
  std::shared_ptr<arrow::Table> read() const {
    auto table = read_parquet(path(), {}, arrow::default_memory_pool());
    EXPECT_TRUE(table) << table.error().message;
    return *table;
  }
  long file_count() const { return std::distance(fs::directory_iterator(folder_), {}); }

  fs::path folder_;
};

TEST_F(ParquetFile, WhatWasWrittenComesBackWithTextAsText) {
  auto writer = open();
  ASSERT_TRUE(writer) << writer.error().message;
  ASSERT_TRUE(writer->write(*batch_of({1, 2, 3})));
  ASSERT_TRUE(writer->write(*batch_of({4, 5})));
  const auto byte_count = writer->close();
  ASSERT_TRUE(byte_count) << byte_count.error().message;
  EXPECT_EQ(*byte_count, fs::file_size(path()));
  const auto table = read();
  EXPECT_EQ(table->num_rows(), 5);
  EXPECT_TRUE(table->schema()->field(1)->type()->Equals(arrow::utf8()));
  EXPECT_EQ(table->GetColumnByName("word")->GetScalar(4).ValueOrDie()->ToString(), "odd");
}

TEST_F(ParquetFile, TheFileAppearsWhenItIsClosed) {
  auto writer = open();
  ASSERT_TRUE(writer);
  ASSERT_TRUE(writer->write(*batch_of({1})));
  EXPECT_FALSE(fs::exists(path()));
  ASSERT_TRUE(writer->close());
  EXPECT_TRUE(fs::exists(path()));
  EXPECT_EQ(file_count(), 1);
}

TEST_F(ParquetFile, AWriterThatIsGivenUpLeavesTheOldFile) {
  auto first = open();
  ASSERT_TRUE(first->write(*batch_of({7})));
  ASSERT_TRUE(first->close());
  {
    auto second = open();
    ASSERT_TRUE(second->write(*batch_of({1, 2, 3})));
  }
  EXPECT_EQ(read()->num_rows(), 1);
  EXPECT_EQ(file_count(), 1);
}

TEST_F(ParquetFile, AFileWithoutRowsCanBeRead) {
  auto writer = open();
  ASSERT_TRUE(writer->close());
  EXPECT_EQ(read()->num_rows(), 0);
}

TEST_F(ParquetFile, ASecondWriterOnTheSamePathIsRefused) {
  auto first = open();
  ASSERT_TRUE(first);
  const auto second = open();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::kIo);
  ASSERT_TRUE(first->write(*batch_of({1})));
  ASSERT_TRUE(first->close());
  EXPECT_TRUE(open());
}

TEST_F(ParquetFile, WhatAKilledWriterLeftIsOverwritten) {
  std::ofstream(folder_ / ".numbers.parquet.partial") << std::string(100'000, 'x');
  auto writer = open();
  ASSERT_TRUE(writer->write(*batch_of({1})));
  ASSERT_TRUE(writer->close());
  EXPECT_EQ(read()->num_rows(), 1);
  EXPECT_LT(fs::file_size(path()), 10'000U);
  EXPECT_EQ(file_count(), 1);
}

TEST_F(ParquetFile, ParallelColumnsGiveTheSameBytes) {
  const auto bytes_with = [&](bool parallel_columns) {
    auto writer = open({.parallel_columns = parallel_columns});
    EXPECT_TRUE(writer->write(*batch_of({1, 2, 3, 4, 5})));
    EXPECT_TRUE(writer->close());
    std::ifstream file(path(), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  EXPECT_EQ(bytes_with(false), bytes_with(true));
}

TEST_F(ParquetFile, AMissingFolderIsAnErrorOfTheMachine) {
  const auto writer = ParquetFileWriter::open(folder_ / "none" / "x.parquet", numbers_schema(), {},
                                              arrow::default_memory_pool());
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().kind, ErrorKind::kIo);
  EXPECT_NE(writer.error().message.find("none"), std::string::npos);
}

}  // namespace
}  // namespace tapeworks
