#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>

#include "base/result.h"
#include "pipeline/daily_summary.h"
#include "pipeline/table_writer.h"
#include "pipeline/transaction_scan.h"

namespace tapeworks {

inline constexpr const char* kBrokerNamesTable = "broker_names";
inline constexpr const char* kBrokerNamesFile = "derived/broker_names.parquet";

/// The rows of kBrokerNamesFile: the name of each code that has one.
std::map<std::string, std::string> broker_names_of(const TransactionRuns& runs);

/// Writes daily_summary/ and derived/broker_names, and keeps the counts that go with them.
/// Threads: put() from any, once per symbol; the rest from one, after the last put().
class SummaryWriter {
 public:
  SummaryWriter(const TableWriter& writer, AmountWidth amounts)
      : writer_(writer), amounts_(amounts) {}

  Status put(const DailySummary& summary);

  /// For a summary that goes on from an old one: its counts are those of `base` before the first
  /// put().
  void start_from(const Table& base);
  /// In place of put() for a symbol some of whose days were replaced: of each of these days
  /// `removed` has all rows of before and `added` all of now. No file when no row is left.
  Status put_changed(const DailySummary& summary, const DailySummary& removed,
                     const DailySummary& added);

  /// Writes the names of the brokers and describes both tables in the manifest.
  Status finish(const TransactionRuns& runs, const ScanOptions& options);

  /// Symbol-days on which the shares bought by all brokers are not the shares sold.
  uint64_t unbalanced_symbol_days() const { return unbalanced_symbol_days_.load(); }

 private:
  Status write(const DailySummary& summary) const;

  const TableWriter& writer_;
  AmountWidth amounts_;
  std::atomic<uint64_t> unbalanced_symbol_days_{0};
  std::atomic<uint64_t> symbol_days_{0};
};

}  // namespace tapeworks
