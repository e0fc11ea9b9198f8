#include "pipeline/generate.h"

#include <algorithm>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include <arrow/array/builder_dict.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "base/interrupt.h"
#include "base/progress.h"
#include "base/random.h"
#include "base/run_stats.h"
#include "pipeline/price_ladder.h"
#include "pipeline/transaction_writer.h"
#include "storage/arrow_status_internal.h"
#include "storage/parquet_file_writer.h"
#include "storage/posix_file.h"

namespace tapeworks {
namespace {

constexpr Day kStartMin{0};      // 1970-01-01
constexpr Day kStartMax{84006};  // 2200-01-01
constexpr int64_t kDayMs = 86'400'000;
constexpr int64_t kTaipeiAheadMs = 8 * 3'600'000;
/// A shuffled file is made in so many passes over all cells, each taking every eighth row of a
/// group.
constexpr uint32_t kStripeCount = 8;
/// The cells that are shuffled at once: 24 MB.
constexpr size_t kWindowCellsMax = 1'000'000;
constexpr double kMissingCloseShare = 0.002;
constexpr int64_t kPriceRowGroupRows = 500'000;
/// Streams of random numbers below the seed; other files have their own ranges.
enum Stream : uint64_t { kDayOrder = 2000, kCellOrder, kMissingCloses };

Status check_range(std::string_view option, uint64_t value, uint64_t value_max) {
  if (value >= 1 && value <= value_max) return {};
  return invalid_argument("{} must be from 1 to {}, not {}", option, value_max, value);
}

/// One symbol on one day, in the random order of a shuffled file.
struct Cell {
  uint32_t day = 0;
  uint32_t symbol_index = 0;
  CellSize size;
};

/// The one pass of generate_transactions, split by file and order.
class Generator {
 public:
  Generator(const GenerateOptions& options, arrow::MemoryPool* pool)
      : options_(options),
        model_(options.market),
        trades_(model_),
        day_rows_(model_.rows_per_day(options.row_count)),
        writer_(model_, options_, pool),
        progress_("generate", options.row_count),
        pool_(pool) {}

  Status check_no_other_days() const;
  Status write_transactions();
  Status write_closes() const;
  const GenerateResult& result() const { return result_; }

 private:
  std::filesystem::path days_folder() const { return options_.out_dir / "broker_tx"; }
  std::string day_file_name(uint32_t day) const {
    return "broker_tx_" + to_compact_string(model_.days()[day]) + ".parquet";
  }
  Status write_file(const std::filesystem::path& path, uint32_t first_day, uint32_t day_count);
  Status write_ordered(uint32_t first_day, uint32_t day_count);
  Status write_shuffled(uint32_t first_day, uint32_t day_count);
  std::vector<Cell> shuffled_cells(std::span<const uint32_t> days, uint64_t key) const;
  Status write_cell(const Cell& cell, uint32_t stripe, uint32_t stripe_count);
  int64_t stamp_of(uint32_t day) const;
  bool has_close(uint32_t day, uint32_t symbol_index) const;

  const GenerateOptions& options_;
  MarketModel model_;
  SymbolDayTrades trades_;
  std::vector<uint64_t> day_rows_;
  TransactionWriter writer_;
  Progress progress_;
  arrow::MemoryPool* pool_;
  GenerateResult result_;
};

/// A folder of daily files is read as a whole, so days of another run must not stay among ours.
Status Generator::check_no_other_days() const {
  std::error_code error;
  if (!options_.per_day || !std::filesystem::exists(days_folder(), error)) return {};
  std::set<std::string> ours;
  for (uint32_t day = 0; day < model_.days().size(); ++day) {
    if (day_rows_[day] > 0) ours.insert(day_file_name(day));
  }
  std::set<std::string> others;
  for (const auto& entry : std::filesystem::directory_iterator(days_folder(), error)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".parquet") && !ours.contains(name)) others.insert(name);
  }
  if (error) {
    return io_error("{}: cannot list the folder: {}", days_folder().string(), error.message());
  }
  if (others.empty()) return {};
  return invalid_argument(
      "{} holds {} of another run, which would be mixed with this one ({} such files); remove them "
      "or choose another --out",
      days_folder().string(), *others.begin(), others.size());
}

Status Generator::write_transactions() {
  result_.row_count = options_.row_count;
  result_.first_day = model_.days().front();
  result_.last_day = model_.days().back();
  const auto day_count = static_cast<uint32_t>(model_.days().size());
  if (!options_.per_day) return write_file(options_.out_dir / "broker_tx.parquet", 0, day_count);
  TW_TRY(make_folders(days_folder()));
  for (uint32_t day = 0; day < day_count; ++day) {
    if (day_rows_[day] > 0) TW_TRY(write_file(days_folder() / day_file_name(day), day, 1));
  }
  return {};
}

Status Generator::write_file(const std::filesystem::path& path, uint32_t first_day,
                             uint32_t day_count) {
  uint64_t row_count = 0;
  for (uint32_t day = first_day; day < first_day + day_count; ++day) row_count += day_rows_[day];
  TW_TRY(writer_.open(path, row_count));
  if (options_.order == RowOrder::kDate) {
    TW_TRY(write_ordered(first_day, day_count));
  } else {
    TW_TRY(write_shuffled(first_day, day_count));
  }
  TW_ASSIGN(const uint64_t byte_count, writer_.close());
  result_.byte_count += byte_count;
  ++result_.file_count;
  return {};
}

Status Generator::write_ordered(uint32_t first_day, uint32_t day_count) {
  for (uint32_t day = first_day; day < first_day + day_count; ++day) {
    const std::vector<CellSize> sizes = plan_day(model_, day, day_rows_[day]);
    for (uint32_t symbol_index = 0; symbol_index < sizes.size(); ++symbol_index) {
      if (sizes[symbol_index].row_count == 0) continue;
      TW_TRY(write_cell({day, symbol_index, sizes[symbol_index]}, 0, 1));
    }
    progress_.add(day_rows_[day]);
  }
  return {};
}

/// The rows of a group are dealt out to the stripes, and each stripe walks the days and cells in
/// another random order; the writer shuffles within the row group. Nothing has to be kept for that
/// but the sizes of a window of cells, because every row can be made at any time.
Status Generator::write_shuffled(uint32_t first_day, uint32_t day_count) {
  const size_t window_days = std::max<size_t>(1, kWindowCellsMax / model_.symbols().size());
  for (uint32_t stripe = 0; stripe < kStripeCount; ++stripe) {
    const uint64_t key =
        derive_key(derive_key(options_.market.seed, kDayOrder), first_day * kStripeCount + stripe);
    std::vector<uint32_t> days;
    for (uint32_t day = first_day; day < first_day + day_count; ++day) days.push_back(day);
    shuffle_items(std::span(days), key);
    for (size_t begin = 0; begin < days.size(); begin += window_days) {
      const size_t length = std::min(window_days, days.size() - begin);
      const auto window = std::span(days).subspan(begin, length);
      for (const Cell& cell : shuffled_cells(window, derive_key(key, begin))) {
        TW_TRY(write_cell(cell, stripe, kStripeCount));
        progress_.add(cell.size.row_count / kStripeCount);
      }
    }
  }
  return {};
}

std::vector<Cell> Generator::shuffled_cells(std::span<const uint32_t> days, uint64_t key) const {
  std::vector<Cell> cells;
  cells.reserve(days.size() * model_.symbols().size());
  for (const uint32_t day : days) {
    const std::vector<CellSize> sizes = plan_day(model_, day, day_rows_[day]);
    for (uint32_t symbol_index = 0; symbol_index < sizes.size(); ++symbol_index) {
      if (sizes[symbol_index].row_count > 0)
        cells.push_back({day, symbol_index, sizes[symbol_index]});
    }
  }
  shuffle_items(std::span(cells), derive_key(key, kCellOrder));
  return cells;
}

Status Generator::write_cell(const Cell& cell, uint32_t stripe, uint32_t stripe_count) {
  TW_TRY(check_interrupt());
  trades_.plan(cell.day, cell.symbol_index, cell.size);
  if (stripe == 0) result_.group_count += trades_.group_count();
  const int64_t stamp_ms = stamp_of(cell.day);
  Status status;
  trades_.emit(stripe, stripe_count, [&](const TradeRow& row) {
    if (writer_.add(cell.symbol_index, stamp_ms, row)) [[likely]]
      return true;
    status = writer_.finish_row_group();
    return status.has_value();
  });
  return status;
}

int64_t Generator::stamp_of(uint32_t day) const {
  const int64_t midnight_ms = model_.days()[day].days_since_epoch * kDayMs;
  return options_.stamp == DayStamp::kUtcMidnight ? midnight_ms : midnight_ms - kTaipeiAheadMs;
}

bool Generator::has_close(uint32_t day, uint32_t symbol_index) const {
  const MarketSymbol& symbol = model_.symbols()[symbol_index];
  if (!symbol.has_closes || !model_.is_listed(day, symbol)) return false;
  const uint64_t key = derive_key(model_.cell_key(day, symbol_index), kMissingCloses);
  return model_.is_busiest(symbol) || unit_interval(random_bits(key, 0)) >= kMissingCloseShare;
}

Status Generator::write_closes() const {
  static constexpr std::string_view kWhere = "making closes";
  const auto schema = arrow::schema(
      {arrow::field("symbol_id", arrow::dictionary(arrow::int32(), arrow::utf8())),
       arrow::field("date", arrow::date32()), arrow::field("close_price", arrow::float32())});
  TW_ASSIGN(auto file, ParquetFileWriter::open(options_.out_dir / "close_prices.parquet", schema,
                                               ParquetFileOptions{}, pool_));
  arrow::StringDictionary32Builder symbols(pool_);
  arrow::Date32Builder dates(pool_);
  arrow::FloatBuilder closes(pool_);
  const auto flush = [&]() -> Status {
    const int64_t row_count = dates.length();
    if (row_count == 0) return {};
    std::vector<std::shared_ptr<arrow::Array>> columns(3);
    TW_TRY(from_arrow(symbols.Finish(&columns[0]), kWhere));
    TW_TRY(from_arrow(dates.Finish(&columns[1]), kWhere));
    TW_TRY(from_arrow(closes.Finish(&columns[2]), kWhere));
    symbols.ResetFull();
    return file.write(*arrow::RecordBatch::Make(schema, row_count, columns));
  };
  for (uint32_t symbol_index = 0; symbol_index < model_.symbols().size(); ++symbol_index) {
    TW_TRY(check_interrupt());
    for (uint32_t day = 0; day < model_.days().size(); ++day) {
      if (!has_close(day, symbol_index)) continue;
      const uint32_t cents = cents_of_level(model_.prices(day, symbol_index).close_level);
      TW_TRY(from_arrow(symbols.Append(model_.symbols()[symbol_index].code), kWhere));
      TW_TRY(from_arrow(dates.Append(model_.days()[day].days_since_epoch), kWhere));
      TW_TRY(from_arrow(closes.Append(static_cast<float>(cents / 100.0)), kWhere));
    }
    if (dates.length() >= kPriceRowGroupRows) TW_TRY(flush());
  }
  TW_TRY(flush());
  TW_TRY(file.close());
  return {};
}

}  // namespace

Status check_generate_options(const GenerateOptions& options) {
  if (options.out_dir.empty()) return invalid_argument("--out needs the name of a folder");
  TW_TRY(check_range("--rows", options.row_count, kGeneratedRowsMax));
  TW_TRY(check_range("--symbols", options.market.symbol_count, kSymbolCountMax));
  TW_TRY(check_range("--brokers", options.market.broker_count, kBrokerCountMax));
  TW_TRY(check_range("--days", options.market.day_count, kDayCountMax));
  if (options.market.start < kStartMin || options.market.start > kStartMax) {
    return invalid_argument("--start must be from {} to {}, not {}", to_string(kStartMin),
                            to_string(kStartMax), to_string(options.market.start));
  }
  return {};
}

Result<GenerateResult> generate_transactions(const GenerateOptions& options,
                                             arrow::MemoryPool* pool) {
  TW_TRY(check_generate_options(options));
  Generator generator(options, pool);
  TW_TRY(generator.check_no_other_days());
  TW_TRY(make_folders(options.out_dir));
  TW_TRY(generator.write_transactions());
  TW_TRY(generator.write_closes());
  add_run_rows(options.row_count);
  return generator.result();
}

}  // namespace tapeworks
