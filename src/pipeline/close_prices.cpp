#include "pipeline/close_prices.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <numeric>
#include <set>
#include <utility>

#include <arrow/table.h>

#include "pipeline/price_columns.h"
#include "storage/arrow_status_internal.h"
#include "storage/parquet_read.h"

namespace tapeworks {
namespace {

using SeriesBySymbol = std::map<std::string, PriceSeries, std::less<>>;

/// Appends rows to the series of their symbols and notes which of these are out of order.
class SeriesCollector {
 public:
  void add(std::string_view symbol, Day date, double close) {
    if (current_ == by_symbol_.end() || current_->first != symbol) {
      current_ = by_symbol_.find(symbol);
      if (current_ == by_symbol_.end()) {
        current_ = by_symbol_.emplace(std::string(symbol), PriceSeries{}).first;
      }
    }
    PriceSeries& series = current_->second;
    if (!series.date.empty() && series.date.back() >= date) unordered_.insert(&series);
    series.date.push_back(date);
    series.close.push_back(close);
  }

  SeriesBySymbol take() {
    for (PriceSeries* series : unordered_) put_in_order(*series);
    for (auto& [symbol, series] : by_symbol_) {
      series.date.shrink_to_fit();
      series.close.shrink_to_fit();
    }
    return std::move(by_symbol_);
  }

 private:
  /// Sorts by date; of several rows of one date the last stays.
  static void put_in_order(PriceSeries& series) {
    std::vector<size_t> order(series.date.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::sort(order, {}, [&](size_t row) { return std::pair(series.date[row], row); });
    PriceSeries sorted;
    for (const size_t row : order) {
      if (!sorted.date.empty() && sorted.date.back() == series.date[row]) {
        sorted.close.back() = series.close[row];
        continue;
      }
      sorted.date.push_back(series.date[row]);
      sorted.close.push_back(series.close[row]);
    }
    series = std::move(sorted);
  }

  SeriesBySymbol by_symbol_;
  SeriesBySymbol::iterator current_ = by_symbol_.end();
  std::set<PriceSeries*> unordered_;
};

/// The rows that all three columns have in one chunk each.
struct RowRange {
  std::shared_ptr<arrow::Array> symbol;
  std::shared_ptr<arrow::Array> date;
  std::shared_ptr<arrow::Array> close;
};

Status add_rows(const RowRange& rows, int64_t first_row, const std::string& where,
                SeriesCollector& collector) {
  const auto days = days_of(*rows.date, std::chrono::hours{0});
  if (!days) {
    return corrupt("{}: row {}: {}", where, first_row + days.error().index, days.error().reason);
  }
  const std::vector<CloseValue> closes = closes_of(*rows.close, AmountWidth::kFloat64);
  int64_t incomplete_row = -1;
  visit_text(*rows.symbol, [&](int64_t i, std::optional<std::string_view> symbol) {
    if (!symbol || (*days)[i] == kNullDay || closes[i].kind == CloseKind::kBad) {
      if (incomplete_row < 0) incomplete_row = first_row + i;
      return;
    }
    const bool missing = closes[i].kind == CloseKind::kMissing;
    collector.add(*symbol, (*days)[i],
                  missing ? std::numeric_limits<double>::quiet_NaN() : closes[i].value);
  });
  if (incomplete_row < 0) return {};
  return corrupt("{}: row {} has no symbol, no date or no number as close; run sync again", where,
                 incomplete_row);
}

}  // namespace

uint64_t ClosePrices::byte_count() const {
  uint64_t bytes = 0;
  for (const auto& [symbol, series] : by_symbol_) {
    bytes += series.date.capacity() * sizeof(Day) + series.close.capacity() * sizeof(double);
    bytes += symbol.capacity() + sizeof(symbol) + sizeof(series);
  }
  return bytes;
}

Result<ClosePrices> close_prices_of(const arrow::Table& table, const std::string& where) {
  for (const auto& status :
       {check_symbol_type(*table.column(0)->type()), check_date_type(*table.column(1)->type()),
        check_close_type(*table.column(2)->type())}) {
    if (!status) return corrupt("{}: {}", where, status.error().message);
  }
  constexpr int64_t kPartRows = 64 * 1024;
  arrow::TableBatchReader parts(table);
  parts.set_chunksize(kPartRows);
  SeriesCollector collector;
  int64_t row = 0;
  while (true) {
    std::shared_ptr<arrow::RecordBatch> part;
    if (const auto status = parts.ReadNext(&part); !status.ok()) {
      return arrow_error(status, where);
    }
    if (part == nullptr) break;
    TW_TRY(add_rows({part->column(0), part->column(1), part->column(2)}, row, where, collector));
    row += part->num_rows();
  }
  return ClosePrices(collector.take());
}

Result<ClosePrices> load_close_prices(const std::filesystem::path& path, arrow::MemoryPool* pool) {
  TW_ASSIGN(const auto table, read_parquet(path, {"symbol_id", "date", "close_price"}, pool));
  return close_prices_of(*table, path.string());
}

}  // namespace tapeworks
