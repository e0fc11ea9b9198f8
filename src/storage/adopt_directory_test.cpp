#include <map>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "storage/data_directory_test_support.h"
#include "storage/generation_store.h"
#include "storage/parquet_write.h"

namespace tapeworks {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

std::string parquet_of(int row_count, const std::map<std::string, std::string>& metadata = {}) {
  arrow::Int64Builder builder;
  for (int i = 0; i < row_count; ++i) EXPECT_TRUE(builder.Append(i).ok());
  const auto table = arrow::Table::Make(arrow::schema({arrow::field("x", arrow::int64())}),
                                        {builder.Finish().ValueOrDie()});
  ParquetWriteOptions options;
  options.metadata = metadata;
  const auto buffer = encode_parquet(*table, options, arrow::default_memory_pool());
  EXPECT_TRUE(buffer) << buffer.error().message;
  return (*buffer)->ToString();
}

class AdoptTest : public testing::Test {
 protected:
  fs::path data() const { return folder_ / "data"; }
  fs::path generations() const { return folder_ / "data.generations"; }

  void make_real_folder() {
    write_file(data() / "summary/1.parquet", parquet_of(3));
    write_file(data() / "summary/2.parquet", parquet_of(4));
    write_file(data() / "derived/top.parquet", parquet_of(5));
    write_file(data() / "derived/names.parquet", parquet_of(0));
    fs::create_directory(data() / "empty");
  }
  void expect_adopted() {
    EXPECT_EQ(fs::read_symlink(data()), "data.generations/000001");
    const auto reader = GenerationReader::open(data());
    ASSERT_TRUE(reader) << reader.error().message;
    const Manifest& manifest = reader->manifest();
    Names tables;
    for (const auto& [name, table] : manifest.tables) tables.push_back(name);
    EXPECT_EQ(tables, (Names{"names", "summary", "top"}));
    EXPECT_EQ(manifest.tables.at("summary").row_count(), 7u);
    EXPECT_EQ(manifest.tables.at("summary").files.at(0).path, "summary/1.parquet");
    EXPECT_EQ(manifest.tables.at("top").row_count(), 5u);
    EXPECT_TRUE(manifest.consistent());
    EXPECT_EQ(read_file(data() / "derived/top.parquet"), parquet_of(5));
    EXPECT_EQ(names_in(folder_.path()), (Names{"data", "data.generations"}));
    EXPECT_EQ(list_generations(data())->at(0).command, "adopt");
  }
  void expect_refused(ErrorKind kind) {
    const Status status = adopt_directory(data());
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, kind) << status.error().message;
    EXPECT_TRUE(fs::is_directory(fs::symlink_status(data())));
    EXPECT_EQ(names_in(folder_.path()), Names{"data"});
  }

  const TestFolder folder_;
};

TEST_F(AdoptTest, RealFolderBecomesTheFirstGeneration) {
  make_real_folder();
  const Status status = adopt_directory(data());
  ASSERT_TRUE(status) << status.error().message;
  expect_adopted();
  EXPECT_EQ(GenerationReader::open(data())->manifest().mode, "default");
}

TEST_F(AdoptTest, ModeComesFromTheFiles) {
  write_file(data() / "a/1.parquet", parquet_of(1, {{"tapeworks.mode", "v1"}}));
  ASSERT_TRUE(adopt_directory(data()));
  EXPECT_EQ(GenerationReader::open(data())->manifest().mode, "v1");
}

TEST_F(AdoptTest, FilesOfDifferentModesAreRefused) {
  write_file(data() / "a/1.parquet", parquet_of(1, {{"tapeworks.mode", "v1"}}));
  write_file(data() / "a/2.parquet", parquet_of(1));
  expect_refused(ErrorKind::kCorrupt);
}

TEST_F(AdoptTest, FolderWithAFileThatIsNoParquetStaysAsItIs) {
  make_real_folder();
  write_file(data() / "summary/3.parquet", "text");
  expect_refused(ErrorKind::kCorrupt);
}

TEST_F(AdoptTest, FileOutsideOfTablesIsNotSwallowed) {
  make_real_folder();
  write_file(data() / "input.parquet", parquet_of(1));
  expect_refused(ErrorKind::kInvalidArgument);
}

TEST_F(AdoptTest, LinkInsideIsNotSwallowed) {
  make_real_folder();
  fs::create_symlink("1.parquet", data() / "summary/9.parquet");
  expect_refused(ErrorKind::kInvalidArgument);
}

TEST_F(AdoptTest, AdoptInterruptedAfterTheMoveIsFinishedByTheNext) {
  make_real_folder();
  fs::create_directory(generations());
  fs::rename(data(), generations() / "000001");
  write_file(generations() / "000001/run.json", "{\"form");
  write_file(generations() / "000001/manifest.json.new", "{");

  const auto reader = GenerationReader::open(data());
  ASSERT_FALSE(reader);
  EXPECT_NE(reader.error().message.find("run `tapeworks adopt"), std::string::npos);
  const auto writer = GenerationWriter::begin(data(), {});
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().kind, ErrorKind::kInvalidArgument);

  const Status status = adopt_directory(data());
  ASSERT_TRUE(status) << status.error().message;
  expect_adopted();
}

TEST_F(AdoptTest, AdoptInterruptedBeforeTheLinkIsFinishedByTheNext) {
  make_real_folder();
  ASSERT_TRUE(adopt_directory(data()));
  fs::remove(data());
  const Status status = adopt_directory(data());
  ASSERT_TRUE(status) << status.error().message;
  expect_adopted();
}

TEST_F(AdoptTest, CopyOfAGenerationKeepsItsManifest) {
  make_real_folder();
  ASSERT_TRUE(adopt_directory(data()));
  fs::copy(generations() / "000001", folder_ / "copy", fs::copy_options::recursive);
  const std::string manifest = read_file(folder_ / "copy/manifest.json");
  const Status status = adopt_directory(folder_ / "copy");
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(read_file(folder_ / "copy/manifest.json"), manifest);
}

TEST_F(AdoptTest, DamagedCopyOfAGenerationIsRefused) {
  make_real_folder();
  ASSERT_TRUE(adopt_directory(data()));
  fs::copy(generations() / "000001", folder_ / "copy", fs::copy_options::recursive);
  write_file(folder_ / "copy/summary/1.parquet", parquet_of(2));
  EXPECT_EQ(adopt_directory(folder_ / "copy").error().kind, ErrorKind::kCorrupt);
  EXPECT_TRUE(fs::is_directory(fs::symlink_status(folder_ / "copy")));
}

TEST_F(AdoptTest, DataDirectoryIsNotAdoptedAgain) {
  make_real_folder();
  ASSERT_TRUE(adopt_directory(data()));
  EXPECT_EQ(adopt_directory(data()).error().kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(adopt_directory(generations() / "000001").error().kind, ErrorKind::kInvalidArgument);
  expect_adopted();
}

TEST_F(AdoptTest, MissingFolderIsWrongUsage) {
  EXPECT_EQ(adopt_directory(data()).error().kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(names_in(folder_.path()), Names{});
}

TEST_F(AdoptTest, NextGenerationKeepsAdoptedTables) {
  make_real_folder();
  ASSERT_TRUE(adopt_directory(data()));
  auto writer = GenerationWriter::begin(data(), {});
  ASSERT_TRUE(writer) << writer.error().message;
  ASSERT_TRUE(writer->keep_table("summary"));
  ASSERT_TRUE(writer->publish("default", {}));
  EXPECT_EQ(read_file(data() / "summary/2.parquet"), parquet_of(4));
}

}  // namespace
}  // namespace tapeworks
