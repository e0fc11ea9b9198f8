#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/io/file.h>
#include <arrow/json/from_string.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>
#include <unistd.h>

#include "base/units.h"
#include "storage/memory_budget.h"

namespace tapeworks {

/// A column given as JSON: {"date", arrow::date32(), "[19358, null]"}.
struct TestColumn {
  std::string name;
  std::shared_ptr<arrow::DataType> type;
  std::string json;
};

inline std::shared_ptr<arrow::Table> test_table(const std::vector<TestColumn>& columns) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const TestColumn& column : columns) {
    fields.push_back(arrow::field(column.name, column.type));
    arrays.push_back(arrow::json::ArrayFromJSONString(column.type, column.json).ValueOrDie());
  }
  return arrow::Table::Make(arrow::schema(std::move(fields)), arrays);
}

/// A folder of its own for each test, and files in it.
class PriceFilesTest : public testing::Test {
 protected:
  PriceFilesTest() {
    std::string name = testing::TempDir() + "tapeworks-prices-XXXXXX";
    root_ = mkdtemp(name.data());
  }
  ~PriceFilesTest() override { std::filesystem::remove_all(root_); }

  std::filesystem::path path(const std::string& name) const { return root_ / name; }

  std::filesystem::path write_text(const std::string& name, std::string_view text) {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }

  std::filesystem::path write_parquet(const std::string& name, const arrow::Table& table,
                                      int64_t row_group_rows = 1024) {
    const auto file = arrow::io::FileOutputStream::Open(path(name).string()).ValueOrDie();
    const auto arrow_properties = parquet::ArrowWriterProperties::Builder().store_schema()->build();
    const auto status =
        parquet::arrow::WriteTable(table, arrow::default_memory_pool(), file, row_group_rows,
                                   parquet::default_writer_properties(), arrow_properties);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return path(name);
  }

  std::filesystem::path write_parquet(const std::string& name,
                                      const std::vector<TestColumn>& columns,
                                      int64_t row_group_rows = 1024) {
    return write_parquet(name, *test_table(columns), row_group_rows);
  }

  MemoryBudget& budget() { return *budget_; }

  std::filesystem::path root_;

 private:
  std::unique_ptr<MemoryBudget> budget_ = MemoryBudget::create(1 * kGiB).value();
};

/// The message of a failure; "no failure" when there is none.
template <typename Outcome>
std::string message_of(const Outcome& outcome) {
  return outcome ? "no failure" : outcome.error().message;
}

/// For EXPECT_PRED2(contains, text, part).
inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace tapeworks
