#include "pipeline/pnl_tables.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <arrow/array/array_dict.h>
#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/array/util.h>
#include <arrow/buffer.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>

#include "pipeline/table_writer.h"
#include "storage/arrow_status_internal.h"

namespace tapeworks {
namespace {

constexpr std::array kMoneyColumns = {
    MoneyColumn{"total_pnl", &AccountPnl::total_pnl},
    MoneyColumn{"realized_pnl", &AccountPnl::realized_pnl},
    MoneyColumn{"unrealized_pnl", &AccountPnl::unrealized_pnl},
    MoneyColumn{"total_buy_amount", &AccountPnl::total_buy_amount},
    MoneyColumn{"total_sell_amount", &AccountPnl::total_sell_amount},
    MoneyColumn{"timing_alpha", &AccountPnl::timing_alpha},
    MoneyColumn{"timing_score", &AccountPnl::timing_score},
    MoneyColumn{"unpriced_cost", &AccountPnl::unpriced_cost},
    MoneyColumn{"opening_unrealized_pnl", &AccountPnl::opening_unrealized_pnl},
    MoneyColumn{"open_long_cost", &AccountPnl::open_long_cost},
    MoneyColumn{"open_short_cost", &AccountPnl::open_short_cost},
};
constexpr size_t kCompatMoneyColumns = 6;

using ArrayResult = arrow::Result<std::shared_ptr<arrow::Array>>;

/// An array that is written value by value, by its position.
template <typename ArrowType>
class PlainColumn {
 public:
  using Value = typename ArrowType::c_type;

  static arrow::Result<PlainColumn> make(size_t length, arrow::MemoryPool* pool) {
    PlainColumn made;
    made.length_ = static_cast<int64_t>(length);
    ARROW_ASSIGN_OR_RAISE(
        made.bytes_, arrow::AllocateBuffer(static_cast<int64_t>(length * sizeof(Value)), pool));
    return made;
  }

  Value* values() { return reinterpret_cast<Value*>(bytes_->mutable_data()); }
  std::shared_ptr<arrow::Array> take() && {
    const auto type = arrow::TypeTraits<ArrowType>::type_singleton();
    return arrow::MakeArray(
        arrow::ArrayData::Make(type, length_, {nullptr, std::move(bytes_)}, /*null_count=*/0));
  }

 private:
  int64_t length_ = 0;
  std::shared_ptr<arrow::Buffer> bytes_;
};

/// One array with a value per row, made by a function of the row.
template <typename ArrowType, typename Row, typename ValueOf>
ArrayResult column(const std::vector<Row>& rows, arrow::MemoryPool* pool, ValueOf value_of) {
  ARROW_ASSIGN_OR_RAISE(auto made, PlainColumn<ArrowType>::make(rows.size(), pool));
  auto* const values = made.values();
  for (size_t row = 0; row < rows.size(); ++row) values[row] = value_of(rows[row]);
  return std::move(made).take();
}

template <typename Row>
ArrayResult broker_column(const DailySummary& summary, const std::vector<Row>& rows,
                          arrow::MemoryPool* pool) {
  arrow::StringBuilder texts(pool);
  ARROW_RETURN_NOT_OK(texts.AppendValues(summary.brokers));
  arrow::Int32Builder indices(pool);
  ARROW_RETURN_NOT_OK(indices.Reserve(static_cast<int64_t>(rows.size())));
  for (const Row& row : rows) {
    if (summary.has_null_broker && row.broker_index == 0) {
      indices.UnsafeAppendNull();
    } else {
      indices.UnsafeAppend(static_cast<int32_t>(row.broker_index));
    }
  }
  ARROW_ASSIGN_OR_RAISE(auto dictionary, texts.Finish());
  ARROW_ASSIGN_OR_RAISE(auto index_array, indices.Finish());
  return std::make_shared<arrow::DictionaryArray>(coded_text(), index_array, dictionary);
}

/// `indices`: 0 for short, 1 for long.
ArrayResult side_column(const std::shared_ptr<arrow::Array>& indices, arrow::MemoryPool* pool) {
  arrow::StringBuilder texts(pool);
  ARROW_RETURN_NOT_OK(texts.AppendValues(std::vector<std::string>{"short", "long"}));
  ARROW_ASSIGN_OR_RAISE(auto dictionary, texts.Finish());
  return std::make_shared<arrow::DictionaryArray>(coded_text(), indices, dictionary);
}

/// The accounts, which ascend by broker, in the order of their ranks.
std::vector<const AccountPnl*> by_rank(const std::vector<AccountPnl>& accounts, Mode mode) {
  struct Place {
    double total_pnl;
    const AccountPnl* account;
  };
  std::vector<Place> places;
  places.reserve(accounts.size());
  for (const AccountPnl& account : accounts) places.push_back({account.total_pnl, &account});
  std::ranges::sort(places, [mode](const Place& left, const Place& right) {
    if (ranks_above(left.total_pnl, right.total_pnl, mode)) return true;
    if (ranks_above(right.total_pnl, left.total_pnl, mode)) return false;
    return left.account < right.account;
  });
  std::vector<const AccountPnl*> ranked;
  ranked.reserve(places.size());
  for (const Place& place : places) ranked.push_back(place.account);
  return ranked;
}

/// Schemas are objects that all files of a table share, so that an encoder prepares them once.
std::shared_ptr<arrow::Schema> make_pnl_schema(Mode mode) {
  arrow::FieldVector fields = {arrow::field("rank", arrow::uint32()),
                               arrow::field("broker", coded_text())};
  for (const MoneyColumn& money : money_columns(mode)) {
    fields.push_back(arrow::field(money.name, arrow::float64()));
  }
  return arrow::schema(std::move(fields));
}

std::shared_ptr<arrow::Schema> pnl_schema(Mode mode) {
  static const auto kDefaultSchema = make_pnl_schema(Mode::kDefault);
  static const auto kCompatSchema = make_pnl_schema(Mode::kCompatV1);
  return is_compat(mode) ? kCompatSchema : kDefaultSchema;
}

using TableResult = arrow::Result<std::shared_ptr<arrow::Table>>;

struct BrokerOfRow {
  uint32_t broker_index = 0;
};

TableResult make_pnl_table(const DailySummary& summary, const SymbolPnl& pnl, Mode mode,
                           arrow::MemoryPool* pool) {
  const std::vector<const AccountPnl*> ranked = by_rank(pnl.accounts, mode);
  std::vector<BrokerOfRow> brokers;
  brokers.reserve(ranked.size());
  for (const AccountPnl* account : ranked) brokers.push_back({account->broker_index});
  arrow::ArrayVector arrays(2);
  uint32_t rank = 0;
  ARROW_ASSIGN_OR_RAISE(arrays[0], column<arrow::UInt32Type>(
                                       ranked, pool, [&](const AccountPnl*) { return ++rank; }));
  ARROW_ASSIGN_OR_RAISE(arrays[1], broker_column(summary, brokers, pool));
  for (const MoneyColumn& money : money_columns(mode)) {
    ARROW_ASSIGN_OR_RAISE(auto array,
                          column<arrow::DoubleType>(ranked, pool, [&](const AccountPnl* account) {
                            return account->*money.value;
                          }));
    arrays.push_back(std::move(array));
  }
  return arrow::Table::Make(pnl_schema(mode), std::move(arrays));
}

/// The numbers in one pass over the lots, which are many.
TableResult make_fifo_state_table(const DailySummary& summary, const std::vector<OpenLot>& lots,
                                  arrow::MemoryPool* pool) {
  static const auto kSchema = arrow::schema(
      {arrow::field("broker", coded_text()), arrow::field("side", coded_text()),
       arrow::field("shares", arrow::int64()), arrow::field("cost_per_share", arrow::float64()),
       arrow::field("open_date", arrow::date32())});
  ARROW_ASSIGN_OR_RAISE(auto broker, broker_column(summary, lots, pool));
  ARROW_ASSIGN_OR_RAISE(auto side, PlainColumn<arrow::Int32Type>::make(lots.size(), pool));
  ARROW_ASSIGN_OR_RAISE(auto shares, PlainColumn<arrow::Int64Type>::make(lots.size(), pool));
  ARROW_ASSIGN_OR_RAISE(auto cost, PlainColumn<arrow::DoubleType>::make(lots.size(), pool));
  ARROW_ASSIGN_OR_RAISE(auto open_date, PlainColumn<arrow::Date32Type>::make(lots.size(), pool));
  int32_t* const side_values = side.values();
  int64_t* const share_values = shares.values();
  double* const cost_values = cost.values();
  int32_t* const date_values = open_date.values();
  for (size_t i = 0; i < lots.size(); ++i) {
    side_values[i] = lots[i].is_long ? 1 : 0;
    share_values[i] = lots[i].shares;
    cost_values[i] = lots[i].cost_per_share;
    date_values[i] = lots[i].open_date.days_since_epoch;
  }
  ARROW_ASSIGN_OR_RAISE(auto sides, side_column(std::move(side).take(), pool));
  return arrow::Table::Make(kSchema, {broker, sides, std::move(shares).take(),
                                      std::move(cost).take(), std::move(open_date).take()});
}

TableResult make_pnl_daily_table(const DailySummary& summary, const std::vector<DailyPnl>& rows,
                                 arrow::MemoryPool* pool) {
  static const auto kSchema =
      arrow::schema({arrow::field("broker", coded_text()), arrow::field("date", arrow::date32()),
                     arrow::field("realized_pnl", arrow::float64()),
                     arrow::field("unrealized_pnl", arrow::float64())});
  ARROW_ASSIGN_OR_RAISE(auto broker, broker_column(summary, rows, pool));
  ARROW_ASSIGN_OR_RAISE(auto date, column<arrow::Date32Type>(rows, pool, [](const DailyPnl& row) {
                          return row.date.days_since_epoch;
                        }));
  ARROW_ASSIGN_OR_RAISE(
      auto realized,
      column<arrow::DoubleType>(rows, pool, [](const DailyPnl& row) { return row.realized_pnl; }));
  ARROW_ASSIGN_OR_RAISE(auto unrealized,
                        column<arrow::DoubleType>(
                            rows, pool, [](const DailyPnl& row) { return row.unrealized_pnl; }));
  return arrow::Table::Make(kSchema, {broker, date, realized, unrealized});
}

TableResult make_position_ledger_table(const DailySummary& summary,
                                       const std::vector<LedgerRow>& rows,
                                       arrow::MemoryPool* pool) {
  static const auto kSchema = arrow::schema(
      {arrow::field("broker", coded_text()), arrow::field("date", arrow::date32()),
       arrow::field("position", arrow::int64()), arrow::field("cost", arrow::float64()),
       arrow::field("realized_pnl", arrow::float64()), arrow::field("buy_amount", arrow::float64()),
       arrow::field("sell_amount", arrow::float64())});
  arrow::ArrayVector arrays(3);
  ARROW_ASSIGN_OR_RAISE(arrays[0], broker_column(summary, rows, pool));
  ARROW_ASSIGN_OR_RAISE(arrays[1], column<arrow::Date32Type>(rows, pool, [](const LedgerRow& row) {
                          return row.date.days_since_epoch;
                        }));
  ARROW_ASSIGN_OR_RAISE(arrays[2], column<arrow::Int64Type>(rows, pool, [](const LedgerRow& row) {
                          return row.position;
                        }));
  for (double LedgerRow::* const value : {&LedgerRow::cost, &LedgerRow::realized_pnl,
                                          &LedgerRow::buy_amount, &LedgerRow::sell_amount}) {
    ARROW_ASSIGN_OR_RAISE(
        auto array,
        column<arrow::DoubleType>(rows, pool, [=](const LedgerRow& row) { return row.*value; }));
    arrays.push_back(std::move(array));
  }
  return arrow::Table::Make(kSchema, std::move(arrays));
}

}  // namespace

std::span<const MoneyColumn> money_columns(Mode mode) {
  return is_compat(mode) ? std::span(kMoneyColumns).first(kCompatMoneyColumns)
                         : std::span<const MoneyColumn>(kMoneyColumns);
}

bool ranks_above(double total_pnl, double other_total_pnl, Mode mode) {
  const bool is_nan = std::isnan(total_pnl);
  const bool other_is_nan = std::isnan(other_total_pnl);
  if (is_nan != other_is_nan) return is_nan == is_compat(mode);
  return total_pnl > other_total_pnl;
}

Result<std::shared_ptr<arrow::Table>> pnl_table(const DailySummary& summary, const SymbolPnl& pnl,
                                                Mode mode, arrow::MemoryPool* pool) {
  return from_arrow(make_pnl_table(summary, pnl, mode, pool), "P&L of symbol " + summary.symbol);
}

Result<std::shared_ptr<arrow::Table>> fifo_state_table(const DailySummary& summary,
                                                       const SymbolPnl& pnl,
                                                       arrow::MemoryPool* pool) {
  return from_arrow(make_fifo_state_table(summary, pnl.lots, pool),
                    "open lots of symbol " + summary.symbol);
}

Result<std::shared_ptr<arrow::Table>> pnl_daily_table(const DailySummary& summary,
                                                      const SymbolPnl& pnl,
                                                      arrow::MemoryPool* pool) {
  return from_arrow(make_pnl_daily_table(summary, pnl.daily, pool),
                    "daily P&L of symbol " + summary.symbol);
}

Result<std::shared_ptr<arrow::Table>> position_ledger_table(const DailySummary& summary,
                                                            const SymbolPnl& pnl,
                                                            arrow::MemoryPool* pool) {
  return from_arrow(make_position_ledger_table(summary, pnl.ledger, pool),
                    "position ledger of symbol " + summary.symbol);
}

}  // namespace tapeworks
