#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/type_fwd.h>

#include "base/result.h"
#include "pipeline/daily_summary.h"
#include "pipeline/mode.h"
#include "pipeline/symbol_pnl.h"
#include "storage/value_interner.h"

namespace tapeworks {

/// Gathers the accounts of all symbols for derived/symbol_broker and derived/broker_ranking.
///
/// Every symbol has a slot of its own, so the result depends neither on the order in which symbols
/// are finished nor on threads. Money is kept in one array per column and slot; finishing gives
/// them back column by column, so that table and slots do not add up.
///
/// Memory: estimated_bytes(), taken from the pool. At full scale (2.7 million accounts) that is
/// 133 MiB in compat modes and 235 MiB in the default mode.
/// Threads: put() from any thread; everything else from one, after the last put().
class AccountCollector {
 public:
  /// `symbols` are the texts of the slots, all different, in any order.
  AccountCollector(std::vector<std::string> symbols, Mode mode, arrow::MemoryPool* pool);

  /// Stores the accounts of symbols[symbol_index]; once per symbol. A symbol that is never put has
  /// no accounts. Errors: kMemoryBudget when the pool refuses.
  Status put(size_t symbol_index, const DailySummary& summary, const SymbolPnl& pnl);

  /// What put() takes for that many accounts in all. finish_symbol_broker() needs about a quarter
  /// of it on top for a moment; the pool should hand ReleaseUnused() on to the allocator.
  static uint64_t estimated_bytes(uint64_t account_count, Mode mode);

  /// derived/symbol_broker: symbol_id and broker (texts, as dictionaries in memory), then
  /// money_columns(); sorted bytewise by broker (null first), then symbol_id. Leaves the collector
  /// empty. Errors: kMemoryBudget when the pool refuses.
  Result<std::shared_ptr<arrow::Table>> finish_symbol_broker();

 private:
  struct Slot {
    std::vector<uint32_t> broker_ids;
    std::vector<std::unique_ptr<arrow::Buffer>> columns;  ///< one per money column
  };

  std::vector<uint32_t> broker_ids_of(const DailySummary& summary, const SymbolPnl& pnl);
  std::vector<size_t> slots_by_symbol() const;
  /// The numbers of the brokers as the table has them: null first, then bytewise.
  std::vector<uint32_t> brokers_in_order() const;
  /// Per broker number: its first row in the finished table.
  std::vector<int64_t> first_rows(const std::vector<uint32_t>& broker_order) const;
  /// One money column in the order of the table; its slots are given back on the way.
  arrow::Result<std::shared_ptr<arrow::Array>> take_money(size_t column, int64_t row_count,
                                                          const std::vector<size_t>& slot_order,
                                                          std::vector<int64_t> next_row);
  arrow::Result<std::shared_ptr<arrow::Table>> make_symbol_broker();

  const std::vector<std::string> symbols_;
  const Mode mode_;
  arrow::MemoryPool* const pool_;
  std::vector<Slot> slots_;

  std::mutex brokers_mutex_;
  /// The number of each broker, in order of arrival, starts with 1; 0 is the null broker. Guarded
  /// by brokers_mutex_.
  ValueInterner brokers_;
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
