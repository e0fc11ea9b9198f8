#include "pipeline/ranking.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include <arrow/array/array_binary.h>
#include <arrow/array/array_dict.h>
#include <arrow/array/array_primitive.h>
#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/array/concatenate.h>
#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/table.h>
#include <arrow/type.h>

#include "base/double_double.h"
#include "pipeline/pnl_tables.h"
#include "pipeline/table_writer.h"
#include "storage/arrow_status_internal.h"

namespace tapeworks {
namespace {

constexpr const char* kSymbolBroker = "derived/symbol_broker";
constexpr const char* kBrokerRanking = "derived/broker_ranking";

/// A sum over symbols as the mode wants it: from left to right, or as good as exact.
class MoneySum {
 public:
  explicit MoneySum(Mode mode) : plain_(is_compat(mode)) {}

  void add(double term) { sum_.add(term); }
  double value() const { return plain_ ? sum_.high : sum_.value(); }

 private:
  bool plain_;
  DoubleDouble sum_;
};

using ArrayResult = arrow::Result<std::shared_ptr<arrow::Array>>;
using TableResult = arrow::Result<std::shared_ptr<arrow::Table>>;

ArrayResult in_one_piece(const arrow::ChunkedArray& column, arrow::MemoryPool* pool) {
  if (column.num_chunks() == 0) return arrow::MakeEmptyArray(column.type(), pool);
  if (column.num_chunks() == 1) return column.chunk(0);
  return arrow::Concatenate(column.chunks(), pool);
}

template <typename ArrayType>
Result<std::shared_ptr<ArrayType>> typed_column(const arrow::Table& table, const char* name,
                                                arrow::MemoryPool* pool) {
  const auto chunked = table.GetColumnByName(name);
  if (chunked == nullptr) {
    return corrupt("{}: there is no column {}; run pnl again", kSymbolBroker, name);
  }
  if (chunked->type()->id() != ArrayType::TypeClass::type_id) {
    return corrupt("{}: column {} has the type {}; run pnl again", kSymbolBroker, name,
                   chunked->type()->ToString());
  }
  TW_ASSIGN(const auto array, from_arrow(in_one_piece(*chunked, pool), kSymbolBroker));
  return std::static_pointer_cast<ArrayType>(array);
}

ArrayResult text_array(const std::vector<std::string_view>& texts, arrow::MemoryPool* pool) {
  arrow::StringBuilder builder(pool);
  for (const std::string_view text : texts) ARROW_RETURN_NOT_OK(builder.Append(text));
  return builder.Finish();
}

/// A column of texts, as they are or as indices into a dictionary.
class TextColumn {
 public:
  static Result<TextColumn> of(const arrow::Table& table, const char* name,
                               arrow::MemoryPool* pool) {
    TextColumn column;
    const auto chunked = table.GetColumnByName(name);
    if (chunked != nullptr && chunked->type()->Equals(coded_text())) {
      TW_ASSIGN(const auto coded, typed_column<arrow::DictionaryArray>(table, name, pool));
      column.indices_ = std::static_pointer_cast<arrow::Int32Array>(coded->indices());
      column.texts_ = std::static_pointer_cast<arrow::StringArray>(coded->dictionary());
      return column;
    }
    TW_ASSIGN(column.texts_, typed_column<arrow::StringArray>(table, name, pool));
    return column;
  }

  int64_t length() const { return indices_ ? indices_->length() : texts_->length(); }
  std::optional<std::string_view> at(int64_t row) const {
    if (indices_ ? indices_->IsNull(row) : texts_->IsNull(row)) return std::nullopt;
    return texts_->GetView(indices_ ? indices_->Value(row) : row);
  }

 private:
  std::shared_ptr<arrow::Int32Array> indices_;  ///< null where the texts stand themselves
  std::shared_ptr<arrow::StringArray> texts_;
};

/// What the ranking reads of a symbol_broker table.
struct AccountColumns {
  TextColumn broker;
  std::vector<std::shared_ptr<arrow::DoubleArray>> money;  ///< in the order of money_columns()

  static Result<AccountColumns> of(const arrow::Table& table, Mode mode, arrow::MemoryPool* pool) {
    AccountColumns columns;
    TW_ASSIGN(columns.broker, TextColumn::of(table, "broker", pool));
    for (const MoneyColumn& money : money_columns(mode)) {
      TW_ASSIGN(auto array, typed_column<arrow::DoubleArray>(table, money.name, pool));
      columns.money.push_back(std::move(array));
    }
    return columns;
  }

  std::optional<std::string_view> broker_at(int64_t row) const { return broker.at(row); }
};

struct BrokerTotals {
  std::optional<std::string_view> broker;                 ///< points into what was summed
  std::vector<double> money;                              ///< in the order of money_columns()
  std::optional<BrokerActivity> activity = std::nullopt;  ///< all of a ranking have one, or none
};

BrokerTotals sum_rows(const AccountColumns& columns, int64_t begin, int64_t end, Mode mode) {
  BrokerTotals totals{.broker = columns.broker_at(begin), .money = {}};
  for (const auto& column : columns.money) {
    MoneySum sum(mode);
    for (int64_t row = begin; row < end; ++row) sum.add(column->Value(row));
    totals.money.push_back(sum.value());
  }
  return totals;
}

/// One entry per broker, ascending as the table is.
Result<std::vector<BrokerTotals>> sum_by_broker(const AccountColumns& columns, Mode mode) {
  std::vector<BrokerTotals> all;
  const int64_t row_count = columns.broker.length();
  for (int64_t begin = 0; begin < row_count;) {
    const auto broker = columns.broker_at(begin);
    if (!all.empty() && broker < all.back().broker) {
      return corrupt("{}: row {} is out of order, rows must ascend by broker; run pnl again",
                     kSymbolBroker, begin);
    }
    int64_t end = begin + 1;
    while (end < row_count && columns.broker_at(end) == broker) ++end;
    all.push_back(sum_rows(columns, begin, end, mode));
    begin = end;
  }
  return all;
}

template <typename ValueOf>
ArrayResult money_array(const std::vector<BrokerTotals>& ranked, arrow::MemoryPool* pool,
                        ValueOf value_of) {
  arrow::DoubleBuilder builder(pool);
  ARROW_RETURN_NOT_OK(builder.Reserve(static_cast<int64_t>(ranked.size())));
  for (const BrokerTotals& totals : ranked) builder.UnsafeAppend(value_of(totals.money));
  return builder.Finish();
}

arrow::Status add_activity(const std::vector<BrokerTotals>& ranked, arrow::MemoryPool* pool,
                           arrow::FieldVector& fields, arrow::ArrayVector& arrays) {
  arrow::Date32Builder last_trade(pool);
  arrow::Int64Builder open_positions(pool);
  for (const BrokerTotals& totals : ranked) {
    const BrokerActivity& activity = *totals.activity;
    const Day day = activity.last_trade_date;
    ARROW_RETURN_NOT_OK(day == kNullDay ? last_trade.AppendNull()
                                        : last_trade.Append(day.days_since_epoch));
    ARROW_RETURN_NOT_OK(open_positions.Append(static_cast<int64_t>(activity.open_positions)));
  }
  fields.push_back(arrow::field(kLastTradeDateColumn, arrow::date32()));
  fields.push_back(arrow::field(kOpenPositionsColumn, arrow::int64()));
  arrays.resize(fields.size());
  ARROW_RETURN_NOT_OK(last_trade.Finish(&arrays[fields.size() - 2]));
  return open_positions.Finish(&arrays[fields.size() - 1]);
}

TableResult make_ranking_table(const std::vector<BrokerTotals>& ranked, Mode mode,
                               arrow::MemoryPool* pool) {
  arrow::UInt32Builder rank(pool);
  arrow::StringBuilder broker(pool);
  for (const BrokerTotals& totals : ranked) {
    ARROW_RETURN_NOT_OK(rank.Append(static_cast<uint32_t>(rank.length() + 1)));
    ARROW_RETURN_NOT_OK(totals.broker ? broker.Append(*totals.broker) : broker.AppendNull());
  }
  arrow::FieldVector fields = {arrow::field("rank", arrow::uint32()),
                               arrow::field("broker", arrow::utf8())};
  arrow::ArrayVector arrays(2);
  ARROW_ASSIGN_OR_RAISE(arrays[0], rank.Finish());
  ARROW_ASSIGN_OR_RAISE(arrays[1], broker.Finish());
  const auto columns = money_columns(mode);
  size_t buy_index = 0;
  for (size_t i = 0; i < columns.size(); ++i) {
    fields.push_back(arrow::field(columns[i].name, arrow::float64()));
    ARROW_ASSIGN_OR_RAISE(auto array,
                          money_array(ranked, pool, [i](const auto& money) { return money[i]; }));
    arrays.push_back(std::move(array));
    if (columns[i].value == &AccountPnl::total_buy_amount) buy_index = i;
    if (columns[i].value != &AccountPnl::total_sell_amount) continue;
    // The one column that accounts do not have stands behind its two terms.
    fields.push_back(arrow::field("total_amount", arrow::float64()));
    ARROW_ASSIGN_OR_RAISE(auto amount, money_array(ranked, pool, [=](const auto& money) {
                            return money[buy_index] + money[i];
                          }));
    arrays.push_back(std::move(amount));
  }
  if (!ranked.empty() && ranked.front().activity) {
    ARROW_RETURN_NOT_OK(add_activity(ranked, pool, fields, arrays));
  }
  return arrow::Table::Make(arrow::schema(std::move(fields)), std::move(arrays));
}

Result<std::shared_ptr<arrow::Table>> ranking_of(std::vector<BrokerTotals> brokers, Mode mode,
                                                 arrow::MemoryPool* pool) {
  // total_pnl is the first money column.
  std::sort(brokers.begin(), brokers.end(),
            [mode](const BrokerTotals& left, const BrokerTotals& right) {
              if (ranks_above(left.money.front(), right.money.front(), mode)) return true;
              if (ranks_above(right.money.front(), left.money.front(), mode)) return false;
              return left.broker < right.broker;
            });
  return from_arrow(make_ranking_table(brokers, mode, pool), kBrokerRanking);
}

}  // namespace

AccountCollector::AccountCollector(std::vector<std::string> symbols, Mode mode,
                                   arrow::MemoryPool* pool)
    : symbols_(std::move(symbols)), mode_(mode), pool_(pool), slots_(symbols_.size()) {
  arrow::FieldVector fields = {arrow::field("symbol_id", coded_text()),
                               arrow::field("broker", coded_text())};
  for (const MoneyColumn& money : money_columns(mode)) {
    fields.push_back(arrow::field(money.name, arrow::float64()));
  }
  schema_ = arrow::schema(std::move(fields));
}

size_t AccountCollector::money_count() const { return money_columns(mode_).size(); }

uint64_t AccountCollector::estimated_bytes(uint64_t account_count, Mode mode) {
  return account_count *
         (sizeof(uint32_t) + sizeof(Place) + sizeof(double) * money_columns(mode).size());
}

std::vector<uint32_t> AccountCollector::note_brokers(const DailySummary& summary,
                                                     const SymbolPnl& pnl) {
  std::vector<uint32_t> ids;
  ids.reserve(pnl.accounts.size());
  const std::lock_guard lock(brokers_mutex_);
  for (const AccountPnl& account : pnl.accounts) {
    const bool is_null = summary.has_null_broker && account.broker_index == 0;
    const uint32_t id = is_null ? 0 : brokers_.intern(summary.brokers[account.broker_index]) + 1;
    ids.push_back(id);
    if (id >= activity_.size()) activity_.resize(id + 1);
    activity_[id].add(account.last_trade_date, account.has_open_lots);
  }
  return ids;
}

Status AccountCollector::put(size_t symbol_index, const DailySummary& summary,
                             const SymbolPnl& pnl) {
  const auto columns = money_columns(mode_);
  const auto byte_count =
      static_cast<int64_t>(pnl.accounts.size() * columns.size() * sizeof(double));
  Slot slot{.broker_ids = note_brokers(summary, pnl), .money = nullptr};
  TW_ASSIGN(slot.money, from_arrow(arrow::AllocateBuffer(byte_count, pool_), kSymbolBroker));
  double* out = slot.money->mutable_data_as<double>();
  for (const AccountPnl& account : pnl.accounts) {
    for (const MoneyColumn& money : columns) *out++ = account.*money.value;
  }
  slots_[symbol_index] = std::move(slot);
  return {};
}

std::vector<uint32_t> AccountCollector::slots_by_symbol() const {
  std::vector<uint32_t> slots(slots_.size());
  std::iota(slots.begin(), slots.end(), 0U);
  std::sort(slots.begin(), slots.end(),
            [&](uint32_t left, uint32_t right) { return symbols_[left] < symbols_[right]; });
  return slots;
}

std::vector<uint32_t> AccountCollector::brokers_in_order() const {
  const auto& texts = brokers_.values();
  std::vector<uint32_t> ids(texts.size() + 1);
  std::iota(ids.begin(), ids.end(), 0U);
  std::sort(ids.begin() + 1, ids.end(),
            [&](uint32_t left, uint32_t right) { return texts[left - 1] < texts[right - 1]; });
  return ids;
}

Status AccountCollector::order() {
  symbol_order_ = slots_by_symbol();
  symbol_rank_.resize(slots_.size());
  std::vector<std::string_view> symbol_texts;
  for (const uint32_t slot : symbol_order_) {
    symbol_rank_[slot] = static_cast<uint32_t>(symbol_texts.size());
    symbol_texts.push_back(symbols_[slot]);
  }
  broker_order_ = brokers_in_order();
  std::vector<std::string_view> broker_texts;
  for (const uint32_t id : std::span(broker_order_).subspan(1)) {
    broker_texts.push_back(brokers_.values()[id - 1]);
  }
  TW_ASSIGN(symbol_texts_, from_arrow(text_array(symbol_texts, pool_), kSymbolBroker));
  TW_ASSIGN(broker_texts_, from_arrow(text_array(broker_texts, pool_), kSymbolBroker));

  std::vector<int64_t> account_counts(broker_order_.size(), 0);
  for (const Slot& slot : slots_) {
    for (const uint32_t id : slot.broker_ids) ++account_counts[id];
  }
  std::vector<int64_t> next_row(broker_order_.size());
  row_count_ = 0;
  first_rows_.clear();
  for (const uint32_t id : broker_order_) {
    first_rows_.push_back(row_count_);
    next_row[id] = row_count_;
    row_count_ += account_counts[id];
  }
  first_rows_.push_back(row_count_);

  // Rows of a broker are consecutive, and within it symbols come in order because the slots do.
  TW_ASSIGN(places_, from_arrow(arrow::AllocateBuffer(row_count_ * int64_t{sizeof(Place)}, pool_),
                                kSymbolBroker));
  auto* const places = places_->mutable_data_as<Place>();
  for (const uint32_t slot : symbol_order_) {
    uint32_t account = 0;
    for (const uint32_t id : slots_[slot].broker_ids) places[next_row[id]++] = {slot, account++};
  }
  return {};
}

const double* AccountCollector::money_of(Place place) const {
  return slots_[place.slot].money->data_as<double>() + place.account * money_count();
}

arrow::Result<std::shared_ptr<arrow::Table>> AccountCollector::make_rows(int64_t begin,
                                                                         int64_t end) const {
  const std::span places(places_->data_as<Place>() + begin, static_cast<size_t>(end - begin));
  arrow::Int32Builder symbols(pool_);
  ARROW_RETURN_NOT_OK(symbols.Reserve(end - begin));
  for (const Place place : places) {
    symbols.UnsafeAppend(static_cast<int32_t>(symbol_rank_[place.slot]));
  }
  arrow::Int32Builder brokers(pool_);
  ARROW_RETURN_NOT_OK(brokers.Reserve(end - begin));
  for (size_t position = 0; position < broker_order_.size(); ++position) {
    const int64_t last = std::min(end, first_rows_[position + 1]);
    for (int64_t row = std::max(begin, first_rows_[position]); row < last; ++row) {
      if (position == 0) {
        brokers.UnsafeAppendNull();
      } else {
        brokers.UnsafeAppend(static_cast<int32_t>(position - 1));
      }
    }
  }
  std::vector<std::shared_ptr<arrow::Buffer>> money(money_count());
  std::vector<double*> out;
  for (auto& column : money) {
    ARROW_ASSIGN_OR_RAISE(column,
                          arrow::AllocateBuffer((end - begin) * int64_t{sizeof(double)}, pool_));
    out.push_back(column->mutable_data_as<double>());
  }
  // The accounts of a broker lie all over the memory: each is fetched ahead, and read once.
  constexpr size_t kAhead = 16;
  for (size_t row = 0; row < places.size(); ++row) {
    if (row + kAhead < places.size()) __builtin_prefetch(money_of(places[row + kAhead]));
    const double* in = money_of(places[row]);
    for (double* const column : out) column[row] = *in++;
  }

  arrow::ArrayVector arrays;
  ARROW_ASSIGN_OR_RAISE(auto symbol_indices, symbols.Finish());
  ARROW_ASSIGN_OR_RAISE(auto broker_indices, brokers.Finish());
  arrays.push_back(
      std::make_shared<arrow::DictionaryArray>(coded_text(), symbol_indices, symbol_texts_));
  arrays.push_back(
      std::make_shared<arrow::DictionaryArray>(coded_text(), broker_indices, broker_texts_));
  for (auto& column : money) {
    arrays.push_back(std::make_shared<arrow::DoubleArray>(end - begin, std::move(column)));
  }
  return arrow::Table::Make(schema_, std::move(arrays), end - begin);
}

Result<std::shared_ptr<arrow::Table>> AccountCollector::rows(int64_t begin, int64_t end) const {
  return from_arrow(make_rows(begin, end), kSymbolBroker);
}

Result<std::shared_ptr<arrow::Table>> AccountCollector::ranking() const {
  const size_t columns = money_count();
  std::vector<MoneySum> sums(broker_order_.size() * columns, MoneySum(mode_));
  for (const uint32_t slot : symbol_order_) {
    if (slots_[slot].broker_ids.empty()) continue;
    const double* in = slots_[slot].money->data_as<double>();
    for (const uint32_t id : slots_[slot].broker_ids) {
      for (size_t i = 0; i < columns; ++i) sums[id * columns + i].add(*in++);
    }
  }
  std::vector<BrokerTotals> totals;
  for (size_t position = 0; position < broker_order_.size(); ++position) {
    if (first_rows_[position] == first_rows_[position + 1]) continue;
    const uint32_t id = broker_order_[position];
    BrokerTotals broker;
    if (id != 0) broker.broker = brokers_.values()[id - 1];
    for (size_t i = 0; i < columns; ++i) broker.money.push_back(sums[id * columns + i].value());
    if (!is_compat(mode_)) broker.activity = activity_[id];
    totals.push_back(std::move(broker));
  }
  return ranking_of(std::move(totals), mode_, pool_);
}

Result<std::shared_ptr<arrow::Table>> broker_ranking_table(const arrow::Table& symbol_broker,
                                                           Mode mode, arrow::MemoryPool* pool) {
  TW_ASSIGN(const AccountColumns columns, AccountColumns::of(symbol_broker, mode, pool));
  TW_ASSIGN(std::vector<BrokerTotals> totals, sum_by_broker(columns, mode));
  return ranking_of(std::move(totals), mode, pool);
}

}  // namespace tapeworks
