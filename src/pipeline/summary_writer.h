#pragma once

#include <atomic>
#include <cstdint>

#include "base/result.h"
#include "pipeline/daily_summary.h"
#include "pipeline/table_writer.h"
#include "pipeline/transaction_scan.h"

namespace tapeworks {

/// Writes daily_summary/ and derived/broker_names, and keeps the counts that go with them.
/// Threads: put() from any, once per symbol; the rest from one, after the last put().
class SummaryWriter {
 public:
  SummaryWriter(const TableWriter& writer, AmountWidth amounts)
      : writer_(writer), amounts_(amounts) {}

  Status put(const DailySummary& summary);

  /// For a summary that goes on from an old one: its counts are those of `base` before the first
  /// put(), and take_out() is told of each symbol whose old rows are replaced. Threads: as put().
  void start_from(const Table& base);
  void take_out(const DailySummary& old);

  /// Writes the names of the brokers and describes both tables in the manifest.
  Status finish(const TransactionRuns& runs, const ScanOptions& options);

  /// Symbol-days on which the shares bought by all brokers are not the shares sold.
  uint64_t unbalanced_symbol_days() const { return unbalanced_symbol_days_.load(); }

 private:
  const TableWriter& writer_;
  AmountWidth amounts_;
  std::atomic<uint64_t> unbalanced_symbol_days_{0};
  std::atomic<uint64_t> symbol_days_{0};
};

}  // namespace tapeworks
