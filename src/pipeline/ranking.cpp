#include "pipeline/ranking.h"

#include <algorithm>
#include <numeric>
#include <optional>
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

  void add(double term) {
    if (plain_) {
      sum_.high += term;
    } else {
      sum_.add(term);
    }
  }
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

constexpr int64_t kIndexBytes = sizeof(int32_t);

ArrayResult coded_column(const std::shared_ptr<arrow::Array>& indices,
                         const std::vector<std::string_view>& texts, arrow::MemoryPool* pool) {
  arrow::StringBuilder dictionary(pool);
  for (const std::string_view text : texts) ARROW_RETURN_NOT_OK(dictionary.Append(text));
  ARROW_ASSIGN_OR_RAISE(auto values, dictionary.Finish());
  return std::make_shared<arrow::DictionaryArray>(coded_text(), indices, values);
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
  std::optional<std::string_view> broker;  ///< points into the symbol_broker table
  std::vector<double> money;               ///< in the order of money_columns()
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
  return arrow::Table::Make(arrow::schema(std::move(fields)), std::move(arrays));
}

}  // namespace

AccountCollector::AccountCollector(std::vector<std::string> symbols, Mode mode,
                                   arrow::MemoryPool* pool)
    : symbols_(std::move(symbols)), mode_(mode), pool_(pool), slots_(symbols_.size()) {}

uint64_t AccountCollector::estimated_bytes(uint64_t account_count, Mode mode) {
  return account_count * (sizeof(uint32_t) + sizeof(double) * money_columns(mode).size());
}

std::vector<uint32_t> AccountCollector::broker_ids_of(const DailySummary& summary,
                                                      const SymbolPnl& pnl) {
  std::vector<uint32_t> ids;
  ids.reserve(pnl.accounts.size());
  const std::lock_guard lock(brokers_mutex_);
  for (const AccountPnl& account : pnl.accounts) {
    const bool is_null = summary.has_null_broker && account.broker_index == 0;
    ids.push_back(is_null ? 0 : brokers_.intern(summary.brokers[account.broker_index]) + 1);
  }
  return ids;
}

Status AccountCollector::put(size_t symbol_index, const DailySummary& summary,
                             const SymbolPnl& pnl) {
  Slot slot{.broker_ids = broker_ids_of(summary, pnl), .columns = {}};
  const auto byte_count = static_cast<int64_t>(pnl.accounts.size() * sizeof(double));
  for (const MoneyColumn& money : money_columns(mode_)) {
    TW_ASSIGN(auto buffer, from_arrow(arrow::AllocateBuffer(byte_count, pool_), kSymbolBroker));
    double* out = buffer->mutable_data_as<double>();
    for (const AccountPnl& account : pnl.accounts) *out++ = account.*money.value;
    slot.columns.push_back(std::move(buffer));
  }
  slots_[symbol_index] = std::move(slot);
  return {};
}

std::vector<size_t> AccountCollector::slots_by_symbol() const {
  std::vector<size_t> order(slots_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t left, size_t right) { return symbols_[left] < symbols_[right]; });
  return order;
}

std::vector<uint32_t> AccountCollector::brokers_in_order() const {
  const auto& texts = brokers_.values();
  std::vector<uint32_t> order(texts.size() + 1);
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin() + 1, order.end(),
            [&](uint32_t left, uint32_t right) { return texts[left - 1] < texts[right - 1]; });
  return order;
}

std::vector<int64_t> AccountCollector::first_rows(const std::vector<uint32_t>& broker_order) const {
  std::vector<int64_t> account_counts(broker_order.size(), 0);
  for (const Slot& slot : slots_) {
    for (const uint32_t id : slot.broker_ids) ++account_counts[id];
  }
  std::vector<int64_t> first(broker_order.size(), 0);
  int64_t row = 0;
  for (const uint32_t id : broker_order) {
    first[id] = row;
    row += account_counts[id];
  }
  return first;
}

arrow::Result<std::shared_ptr<arrow::Array>> AccountCollector::take_money(
    size_t column, int64_t row_count, const std::vector<size_t>& slot_order,
    std::vector<int64_t> next_row) {
  ARROW_ASSIGN_OR_RAISE(auto values,
                        arrow::AllocateBuffer(row_count * int64_t{sizeof(double)}, pool_));
  double* out = values->mutable_data_as<double>();
  for (const size_t slot_index : slot_order) {
    Slot& slot = slots_[slot_index];
    if (slot.broker_ids.empty()) continue;
    const double* in = slot.columns[column]->data_as<double>();
    for (const uint32_t id : slot.broker_ids) out[next_row[id]++] = *in++;
    slot.columns[column].reset();
  }
  // The allocator would keep the slots' pages otherwise, and the resident size would be twice what
  // the pool has given out.
  pool_->ReleaseUnused();
  return arrow::MakeArray(arrow::ArrayData::Make(arrow::float64(), row_count,
                                                 {nullptr, std::shared_ptr(std::move(values))}, 0));
}

arrow::Result<std::shared_ptr<arrow::Table>> AccountCollector::make_symbol_broker() {
  const std::vector<size_t> slot_order = slots_by_symbol();
  const std::vector<uint32_t> broker_order = brokers_in_order();
  const std::vector<int64_t> first = first_rows(broker_order);

  // Which account stands in which row, as (broker, symbol): rows of a broker are consecutive, and
  // within it symbols come in order because the slots do.
  int64_t row_count = 0;
  for (const Slot& slot : slots_) row_count += static_cast<int64_t>(slot.broker_ids.size());
  ARROW_ASSIGN_OR_RAISE(auto symbol_of_row, arrow::AllocateBuffer(row_count * kIndexBytes, pool_));
  std::vector<int64_t> next_row = first;
  std::vector<std::string_view> symbol_texts;
  for (const size_t slot_index : slot_order) {
    const auto symbol = static_cast<int32_t>(symbol_texts.size());
    symbol_texts.push_back(symbols_[slot_index]);
    for (const uint32_t id : slots_[slot_index].broker_ids) {
      symbol_of_row->mutable_data_as<int32_t>()[next_row[id]++] = symbol;
    }
  }
  arrow::Int32Builder broker_of_row(pool_);
  ARROW_RETURN_NOT_OK(broker_of_row.Reserve(row_count));
  std::vector<std::string_view> broker_texts;
  for (const uint32_t id : broker_order) {
    const int64_t count = next_row[id] - first[id];
    if (id == 0) {
      ARROW_RETURN_NOT_OK(broker_of_row.AppendNulls(count));
      continue;
    }
    for (int64_t i = 0; i < count; ++i) {
      broker_of_row.UnsafeAppend(static_cast<int32_t>(broker_texts.size()));
    }
    broker_texts.push_back(brokers_.values()[id - 1]);
  }
  ARROW_ASSIGN_OR_RAISE(auto broker_indices, broker_of_row.Finish());
  arrow::ArrayVector arrays(2);
  const auto symbol_indices = std::make_shared<arrow::Int32Array>(
      row_count, std::shared_ptr<arrow::Buffer>(std::move(symbol_of_row)));
  ARROW_ASSIGN_OR_RAISE(arrays[0], coded_column(symbol_indices, symbol_texts, pool_));
  ARROW_ASSIGN_OR_RAISE(arrays[1], coded_column(broker_indices, broker_texts, pool_));

  arrow::FieldVector fields = {arrow::field("symbol_id", coded_text()),
                               arrow::field("broker", coded_text())};
  const auto columns = money_columns(mode_);
  for (size_t i = 0; i < columns.size(); ++i) {
    fields.push_back(arrow::field(columns[i].name, arrow::float64()));
    ARROW_ASSIGN_OR_RAISE(auto array, take_money(i, row_count, slot_order, first));
    arrays.push_back(std::move(array));
  }
  return arrow::Table::Make(arrow::schema(std::move(fields)), std::move(arrays));
}

Result<std::shared_ptr<arrow::Table>> AccountCollector::finish_symbol_broker() {
  auto table = from_arrow(make_symbol_broker(), kSymbolBroker);
  slots_.clear();
  slots_.resize(symbols_.size());
  brokers_ = ValueInterner();
  return table;
}

Result<std::shared_ptr<arrow::Table>> broker_ranking_table(const arrow::Table& symbol_broker,
                                                           Mode mode, arrow::MemoryPool* pool) {
  TW_ASSIGN(const AccountColumns columns, AccountColumns::of(symbol_broker, mode, pool));
  TW_ASSIGN(std::vector<BrokerTotals> ranked, sum_by_broker(columns, mode));
  // total_pnl is the first money column.
  std::sort(ranked.begin(), ranked.end(),
            [mode](const BrokerTotals& left, const BrokerTotals& right) {
              if (ranks_above(left.money.front(), right.money.front(), mode)) return true;
              if (ranks_above(right.money.front(), left.money.front(), mode)) return false;
              return left.broker < right.broker;
            });
  return from_arrow(make_ranking_table(ranked, mode, pool), kBrokerRanking);
}

}  // namespace tapeworks
