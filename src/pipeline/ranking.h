#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/type_fwd.h>

#include "base/result.h"
#include "pipeline/broker_activity.h"
#include "pipeline/daily_summary.h"
#include "pipeline/mode.h"
#include "pipeline/symbol_pnl.h"
#include "storage/value_interner.h"

namespace tapeworks {

inline constexpr const char* kLastTradeDateColumn = "last_trade_date";
inline constexpr const char* kOpenPositionsColumn = "open_positions";

/// Gathers the accounts of all symbols for derived/symbol_broker and derived/broker_ranking.
///
/// Every symbol has a slot of its own, so the result depends neither on the order in which symbols
/// are finished nor on threads. The table of all accounts is never whole in memory: rows() makes
/// any part of it.
///
/// Memory: estimated_bytes(), most of it taken from the pool. At full scale (2.7 million accounts)
/// that is 165 MiB in compat modes and 268 MiB in the default mode.
/// Threads: put() from any thread; order() from one, after the last put(); then rows() and
/// ranking() from any.
class AccountCollector {
 public:
  /// `symbols` are the texts of the slots, all different, in any order.
  AccountCollector(std::vector<std::string> symbols, Mode mode, arrow::MemoryPool* pool);

  /// Stores the accounts of symbols[symbol_index]; once per symbol. A symbol that is never put has
  /// no accounts. Errors: kMemoryBudget when the pool refuses.
  Status put(size_t symbol_index, const DailySummary& summary, const SymbolPnl& pnl);

  /// What the collector takes for that many accounts in all.
  static uint64_t estimated_bytes(uint64_t account_count, Mode mode);

  /// Decides which account stands in which row. Errors: kMemoryBudget when the pool refuses.
  Status order();

  int64_t row_count() const { return row_count_; }
  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }

  /// Rows [begin, end) of derived/symbol_broker: symbol_id and broker (texts, as dictionaries in
  /// memory), then money_columns(); sorted bytewise by broker (null first), then symbol_id. All
  /// parts share their schema. Errors: kMemoryBudget when the pool refuses.
  Result<std::shared_ptr<arrow::Table>> rows(int64_t begin, int64_t end) const;

  /// The same as broker_ranking_table() of all rows, and in the default mode behind it
  /// last_trade_date date32 (null: no trade up to the day of valuation) and open_positions int64,
  /// the number of symbols with open lots.
  Result<std::shared_ptr<arrow::Table>> ranking() const;

 private:
  /// The accounts of a symbol: one row of money_columns() behind the other.
  struct Slot {
    std::vector<uint32_t> broker_ids;
    std::unique_ptr<arrow::Buffer> money;
  };
  /// Where an account lies.
  struct Place {
    uint32_t slot = 0;
    uint32_t account = 0;
  };

  /// Also counts what the accounts say of their brokers.
  std::vector<uint32_t> note_brokers(const DailySummary& summary, const SymbolPnl& pnl);
  std::vector<uint32_t> slots_by_symbol() const;
  /// The numbers of the brokers as the table has them: null first, then bytewise.
  std::vector<uint32_t> brokers_in_order() const;
  arrow::Result<std::shared_ptr<arrow::Table>> make_rows(int64_t begin, int64_t end) const;
  const double* money_of(Place place) const;
  size_t money_count() const;

  const std::vector<std::string> symbols_;
  const Mode mode_;
  arrow::MemoryPool* const pool_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<Slot> slots_;

  std::mutex brokers_mutex_;
  /// The number of each broker, in order of arrival, starts with 1; 0 is the null broker. Guarded
  /// by brokers_mutex_ until order().
  ValueInterner brokers_;
  std::vector<BrokerActivity> activity_;  ///< by number; guarded likewise

  // Set by order().
  int64_t row_count_ = 0;
  std::unique_ptr<arrow::Buffer> places_;       ///< a Place per row
  std::vector<uint32_t> symbol_order_;          ///< slots by symbol
  std::vector<uint32_t> symbol_rank_;           ///< per slot: its position in symbol_order_
  std::vector<uint32_t> broker_order_;          ///< broker numbers as the table has them
  std::vector<int64_t> first_rows_;             ///< per position in broker_order_, and one behind
  std::shared_ptr<arrow::Array> symbol_texts_;  ///< by symbol_rank_
  std::shared_ptr<arrow::Array> broker_texts_;  ///< by position in broker_order_, without the null
};

/// derived/broker_ranking from a symbol_broker table: rank uint32 from 1, broker string, total_pnl,
/// realized_pnl, unrealized_pnl, total_buy_amount, total_sell_amount, total_amount, timing_alpha,
/// and in the default mode timing_score, unpriced_cost, opening_unrealized_pnl, open_long_cost,
/// open_short_cost, all float64. Each is the sum over symbols in bytewise order: in the default
/// mode as good as exact and rounded once, in compat modes from left to right. By total_pnl
/// descending, ties by broker ascending.
///
/// Pure, so that `verify` can make the ranking again from the file.
/// Errors: kCorrupt for a missing column, a wrong type or rows out of order; kMemoryBudget.
Result<std::shared_ptr<arrow::Table>> broker_ranking_table(const arrow::Table& symbol_broker,
                                                           Mode mode, arrow::MemoryPool* pool);

}  // namespace tapeworks
