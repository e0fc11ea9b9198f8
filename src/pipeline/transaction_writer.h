#pragma once

#include <cstdint>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/calendar_day.h"
#include "base/result.h"
#include "pipeline/generate.h"
#include "pipeline/market_day.h"
#include "storage/parquet_file_writer.h"

namespace tapeworks {

/// Up to one row group of transactions as columns. Symbols, brokers and prices are numbers of the
/// market model. Ownership: the buffers are Arrow's, so that encoding copies nothing.
class TransactionColumns {
 public:
  static Result<TransactionColumns> allocate(int64_t row_count_max, arrow::MemoryPool* pool);

  void set(size_t position, uint32_t symbol_index, int64_t stamp_ms, const TradeRow& row) {
    symbol_[position] = static_cast<int32_t>(symbol_index);
    stamp_ms_[position] = stamp_ms;
    broker_[position] = static_cast<int32_t>(row.broker_index);
    price_[position] = static_cast<int32_t>(row.price_level);
    buy_[position] = row.buy_shares;
    sell_[position] = row.sell_shares;
  }

  /// The first `row_count` rows in the vendor's schema. The dictionaries hold only what occurs; the
  /// columns are renumbered in place, so this object must be filled again before it is used again.
  Result<std::shared_ptr<arrow::RecordBatch>> make_batch(const MarketModel& model, size_t row_count,
                                                         arrow::MemoryPool* pool);

 private:
  std::vector<std::shared_ptr<arrow::Buffer>> buffers_;
  int32_t* symbol_ = nullptr;
  int32_t* broker_ = nullptr;
  int32_t* price_ = nullptr;
  int64_t* stamp_ms_ = nullptr;
  int64_t* buy_ = nullptr;
  int64_t* sell_ = nullptr;
};

/// The vendor's columns: symbol_id, date, broker, broker_name, price, buy, sell.
std::shared_ptr<arrow::Schema> transaction_schema();

/// Writes transaction files, one after the other, in row groups of kRowGroupRows. With
/// RowOrder::kShuffled the rows change places within their row group.
///
/// Memory: one row group as columns and one encoded; with several threads two as columns.
/// Threads: one at a time; encodes in a thread of its own when there are several.
class TransactionWriter {
 public:
  static constexpr size_t kRowGroupRows = 1'000'000;

  /// Keeps references to both; `pool` likewise.
  TransactionWriter(const MarketModel& model, const GenerateOptions& options,
                    arrow::MemoryPool* pool);

  /// Begins a file that will have exactly `row_count` rows.
  Status open(const std::filesystem::path& path, uint64_t row_count);
  /// Adds a row. False when that filled the row group: finish_row_group() must follow.
  [[nodiscard]] bool add(uint32_t symbol_index, int64_t stamp_ms, const TradeRow& row) {
    const size_t position = positions_.empty() ? filled_ : positions_[filled_];
    columns_->set(position, symbol_index, stamp_ms, row);
    return ++filled_ < group_rows_;
  }
  /// Writes the full row group and begins the next.
  Status finish_row_group();
  /// Completes the file and makes it appear; returns its size in bytes.
  Result<uint64_t> close();

 private:
  Status begin_row_group();
  Status wait_for_encoder();
  Status encode(TransactionColumns& columns, size_t row_count);

  const MarketModel& model_;
  const GenerateOptions& options_;
  arrow::MemoryPool* pool_;
  std::optional<TransactionColumns> columns_;        ///< being filled
  std::optional<TransactionColumns> spare_columns_;  ///< being encoded
  std::vector<uint32_t> positions_;                  ///< where the rows go; empty means in order
  size_t filled_ = 0;
  size_t group_rows_ = 0;
  uint64_t rows_left_ = 0;  ///< of the file, after this row group
  uint64_t row_groups_begun_ = 0;
  std::optional<ParquetFileWriter> file_;
  std::future<Status> encoder_;  ///< last, so that it ends before what it uses
};

}  // namespace tapeworks
