#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <arrow/memory_pool.h>
#include <arrow/table.h>
#include <gtest/gtest.h>

#include "pipeline/close_prices.h"
#include "pipeline/daily_summary.h"
#include "pipeline/pnl_tables.h"
#include "pipeline/symbol_pnl.h"
#include "storage/parquet_read.h"

// What the tests of symbol_pnl, pnl_tables and ranking share: summaries made by hand, and goldens.

namespace tapeworks::test {

/// The value of a Result, or an exception that fails the test with the error's text.
template <typename T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

inline Day day(const char* text) { return parse_day(text).value(); }

/// Whether two numbers are the same bits; any NaN equals any other.
inline bool same_bits(double left, double right) {
  if (std::isnan(left) && std::isnan(right)) return true;
  return std::bit_cast<uint64_t>(left) == std::bit_cast<uint64_t>(right);
}

struct TradedDay {
  int32_t buy_shares = 0;
  double buy_amount = 0;
  int32_t sell_shares = 0;
  double sell_amount = 0;
};

/// Makes a DailySummary from rows in any order.
class SummaryBuilder {
 public:
  explicit SummaryBuilder(std::string symbol = "2330") : symbol_(std::move(symbol)) {}

  SummaryBuilder& add(std::optional<std::string> broker, Day date, TradedDay traded) {
    rows_[std::move(broker)][date] = traded;
    return *this;
  }

  DailySummary build() const {
    DailySummary summary;
    summary.symbol = symbol_;
    for (const auto& [broker, days] : rows_) {
      if (!broker) summary.has_null_broker = true;
      const auto index = static_cast<uint32_t>(summary.brokers.size());
      summary.brokers.push_back(broker.value_or(""));
      for (const auto& [date, traded] : days) {
        summary.broker_index.push_back(index);
        summary.date.push_back(date);
        summary.buy_shares.push_back(traded.buy_shares);
        summary.sell_shares.push_back(traded.sell_shares);
        summary.buy_amount.push_back(traded.buy_amount);
        summary.sell_amount.push_back(traded.sell_amount);
      }
    }
    return summary;
  }

 private:
  std::string symbol_;
  std::map<std::optional<std::string>, std::map<Day, TradedDay>> rows_;
};

inline PriceSeries closes(std::initializer_list<std::pair<const char*, double>> rows) {
  PriceSeries series;
  for (const auto& [date, close] : rows) {
    series.date.push_back(day(date));
    series.close.push_back(close);
  }
  return series;
}

inline constexpr double kNull = std::numeric_limits<double>::quiet_NaN();

/// A Parquet file whose cells are read one by one, whatever width or text type they have.
class Cells {
 public:
  explicit Cells(const std::filesystem::path& path)
      : Cells(value_of(read_parquet(path, {}, arrow::default_memory_pool()))) {}
  explicit Cells(const std::shared_ptr<arrow::Table>& table)
      : table_(table->CombineChunks().ValueOrDie()) {}

  int64_t rows() const { return table_->num_rows(); }
  const arrow::Table& table() const { return *table_; }

  std::optional<std::string> text(const char* name, int64_t row) const {
    return text_in(*array(name), row);
  }

  double number(const char* name, int64_t row) const {
    const auto& column = *array(name);
    if (column.IsNull(row)) return kNull;
    if (column.type_id() == arrow::Type::FLOAT) {
      return static_cast<double>(static_cast<const arrow::FloatArray&>(column).Value(row));
    }
    if (column.type_id() != arrow::Type::DOUBLE) return static_cast<double>(integer(name, row));
    return static_cast<const arrow::DoubleArray&>(column).Value(row);
  }

  int64_t integer(const char* name, int64_t row) const {
    const auto& column = *array(name);
    switch (column.type_id()) {
      case arrow::Type::UINT32:
        return static_cast<const arrow::UInt32Array&>(column).Value(row);
      case arrow::Type::INT32:
        return static_cast<const arrow::Int32Array&>(column).Value(row);
      case arrow::Type::DATE32:
        return static_cast<const arrow::Date32Array&>(column).Value(row);
      case arrow::Type::INT64:
        return static_cast<const arrow::Int64Array&>(column).Value(row);
      default:
        throw std::runtime_error(std::string(name) + " is no integer column");
    }
  }

  Day date(const char* name, int64_t row) const {
    return Day{static_cast<int32_t>(integer(name, row))};
  }

 private:
  static std::optional<std::string> text_in(const arrow::Array& column, int64_t row) {
    if (column.IsNull(row)) return std::nullopt;
    switch (column.type_id()) {
      case arrow::Type::STRING:
        return std::string(static_cast<const arrow::StringArray&>(column).GetView(row));
      case arrow::Type::STRING_VIEW:
        return std::string(static_cast<const arrow::StringViewArray&>(column).GetView(row));
      case arrow::Type::DICTIONARY: {
        const auto& coded = static_cast<const arrow::DictionaryArray&>(column);
        return text_in(*coded.dictionary(), coded.GetValueIndex(row));
      }
      default:
        throw std::runtime_error("no text column: " + column.type()->ToString());
    }
  }

  std::shared_ptr<arrow::Array> array(const char* name) const {
    const auto column = table_->GetColumnByName(name);
    if (column == nullptr) throw std::runtime_error(std::string("no column ") + name);
    return column->chunk(0);
  }

  std::shared_ptr<arrow::Table> table_;
};

inline std::filesystem::path golden_dir(const std::string& name) {
  return std::filesystem::path(TAPEWORKS_TEST_DATA) / "golden" / name;
}

inline DailySummary golden_summary(const std::filesystem::path& path) {
  const Cells cells(path);
  SummaryBuilder builder(path.stem().string());
  for (int64_t row = 0; row < cells.rows(); ++row) {
    builder.add(cells.text("broker", row), cells.date("date", row),
                {.buy_shares = static_cast<int32_t>(cells.integer("buy_shares", row)),
                 .buy_amount = cells.number("buy_amount", row),
                 .sell_shares = static_cast<int32_t>(cells.integer("sell_shares", row)),
                 .sell_amount = cells.number("sell_amount", row)});
  }
  return builder.build();
}

/// All summaries of a golden by symbol; `later` takes the later state's file where it differs.
inline std::map<std::string, DailySummary> golden_summaries(const std::string& name, bool later) {
  std::map<std::string, DailySummary> summaries;
  for (const char* folder : {"expected/daily_summary", "expected_later/daily_summary"}) {
    const auto dir = golden_dir(name) / folder;
    if (!std::filesystem::exists(dir) || (!later && !summaries.empty())) continue;
    for (const auto& entry : std::filesystem::directory_iterator(dir)) {
      DailySummary summary = golden_summary(entry.path());
      summaries[summary.symbol] = std::move(summary);
    }
  }
  return summaries;
}

/// Closes by symbol; of two rows for one date the later one is taken, as the reference does.
inline std::map<std::string, PriceSeries> golden_closes(const std::string& name) {
  const Cells cells(golden_dir(name) / "close_prices.parquet");
  std::map<std::string, std::map<Day, double>> by_symbol;
  for (int64_t row = 0; row < cells.rows(); ++row) {
    by_symbol[cells.text("symbol_id", row).value()][cells.date("date", row)] =
        cells.number("close_price", row);
  }
  std::map<std::string, PriceSeries> all;
  for (const auto& [symbol, rows] : by_symbol) {
    for (const auto& [date, close] : rows) {
      all[symbol].date.push_back(date);
      all[symbol].close.push_back(close);
    }
  }
  return all;
}

template <typename Field>
void expect_same_field(const Field& found, const Field& expected, size_t row) {
  if constexpr (std::is_same_v<Field, double>) {
    EXPECT_PRED2(same_bits, found, expected) << "row " << row;
  } else {
    EXPECT_EQ(found, expected) << "row " << row;
  }
}

template <typename Row, typename... Fields>
void expect_same_rows(std::string_view what, const std::vector<Row>& found,
                      const std::vector<Row>& expected, Fields Row::*... fields) {
  SCOPED_TRACE(what);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t row = 0; row < expected.size(); ++row) {
    (expect_same_field(found[row].*fields, expected[row].*fields, row), ...);
  }
}

/// Every number with the same bits.
inline void expect_same(const SymbolPnl& found, const SymbolPnl& expected) {
  expect_same_rows("accounts", found.accounts, expected.accounts, &AccountPnl::broker_index,
                   &AccountPnl::last_trade_date, &AccountPnl::has_open_lots);
  for (const MoneyColumn& money : money_columns(Mode::kDefault)) {
    expect_same_rows(money.name, found.accounts, expected.accounts, money.value);
  }
  expect_same_rows("lots", found.lots, expected.lots, &OpenLot::broker_index, &OpenLot::is_long,
                   &OpenLot::shares, &OpenLot::cost_per_share, &OpenLot::open_date);
  expect_same_rows("daily", found.daily, expected.daily, &DailyPnl::broker_index, &DailyPnl::date,
                   &DailyPnl::realized_pnl, &DailyPnl::unrealized_pnl);
  expect_same_rows("ledger", found.ledger, expected.ledger, &LedgerRow::broker_index,
                   &LedgerRow::date, &LedgerRow::position, &LedgerRow::cost,
                   &LedgerRow::realized_pnl, &LedgerRow::buy_amount, &LedgerRow::sell_amount);
}

/// All columns, names included.
inline void expect_same(const DailySummary& found, const DailySummary& expected) {
  EXPECT_EQ(found.symbol, expected.symbol);
  EXPECT_EQ(found.brokers, expected.brokers);
  EXPECT_EQ(found.has_null_broker, expected.has_null_broker);
  EXPECT_EQ(found.broker_index, expected.broker_index);
  EXPECT_EQ(found.date, expected.date);
  EXPECT_EQ(found.buy_shares, expected.buy_shares);
  EXPECT_EQ(found.sell_shares, expected.sell_shares);
  EXPECT_EQ(found.buy_amount, expected.buy_amount);
  EXPECT_EQ(found.sell_amount, expected.sell_amount);
}

}  // namespace tapeworks::test
