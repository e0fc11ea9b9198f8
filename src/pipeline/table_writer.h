#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/idle_list.h"
#include "base/result.h"
#include "pipeline/mode.h"
#include "storage/generation_store.h"
#include "storage/memory_budget.h"
#include "storage/parquet_write.h"

namespace tapeworks {

/// The columns of some symbol as one file of a table: "pnl", "2330" -> pnl/2330.parquet.
std::string symbol_file_path(const std::string& table, const std::string& symbol);

/// The type of texts as indices into a dictionary; files have dictionary pages for them either way.
const std::shared_ptr<arrow::DataType>& coded_text();

/// Encodes Arrow tables and adds them to the generation being written. Keeps as many encoders as
/// were at work at once. Threads: any.
class TableWriter {
 public:
  TableWriter(GenerationWriter& generation, Mode mode, MemoryBudget& budget)
      : generation_(generation), mode_(mode), budget_(budget) {}

  /// Small row groups let a query read a part of a large table.
  static constexpr int64_t kQueriedRowGroupRows = int64_t{64} * 1024;
  static constexpr int64_t kRowGroupRows = int64_t{4} * 1024 * 1024;

  /// What differs from table to table.
  struct Layout {
    int64_t row_group_rows_max = kRowGroupRows;
    /// Whether readers get dictionary columns as such; else as texts.
    bool store_dictionary_types = true;
    size_t thread_count = 1;
  };

  Status add(const std::string& table, const std::string& relative_path,
             const arrow::Table& content, const Layout& layout) const;
  Status add(const std::string& table, const std::string& relative_path,
             const arrow::Table& content) const {
    return add(table, relative_path, content, Layout{});
  }

  /// The same for rows that are made when they are needed.
  struct StreamedContent {
    std::shared_ptr<arrow::Schema> schema;
    int64_t row_count = 0;
    /// Rows [begin, end), from any thread.
    std::function<Result<std::shared_ptr<arrow::Table>>(int64_t begin, int64_t end)> rows;
  };
  Status add(const std::string& table, const std::string& relative_path,
             const StreamedContent& content, const Layout& layout) const;

  GenerationWriter& generation() const { return generation_; }
  MemoryBudget& budget() const { return budget_; }
  arrow::MemoryPool* pool() const { return budget_.pool(); }

 private:
  ParquetWriteOptions options_of(const Layout& layout) const;
  std::unique_ptr<ParquetEncoder> take_encoder() const;

  GenerationWriter& generation_;
  Mode mode_;
  MemoryBudget& budget_;
  mutable IdleList<std::unique_ptr<ParquetEncoder>> idle_encoders_;
};

}  // namespace tapeworks
