#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/result.h"
#include "cli/work_options.h"
#include "pipeline/pipeline.h"

namespace tapeworks {

/// Options of every command that writes a generation: --data, --compat, --keep-generations-for,
/// --memory, --threads, --temp-dir.
struct JobOptions {
  DataOption data;
  WorkOptions work;
  std::string compat;
  std::string keep_generations_for = "1h";

  void describe(CLI::App& app);
  Status check() const;
  /// For a command with --incremental: the compat modes have no such runs.
  Status check_incremental() const;
  /// The following are valid after check().
  Mode mode() const;
  WorkPlace place() const;
};

/// The options that rename the columns of the transactions.
void describe_columns(CLI::App& app, TransactionColumnNames& columns);

/// Options of `etl`, also taken by `run`.
struct EtlArguments {
  std::vector<std::string> inputs;
  std::string on_bad_row = "fail";
  std::string bad_rows_max;
  std::string day_zone;
  std::string naive_zone;
  std::string amounts = "float32";
  TransactionColumnNames columns;

  void describe(CLI::App& app);
  /// Everything but inputs and threads, or what contradicts the mode.
  Result<EtlOptions> resolve(const JobOptions& job) const;
};

/// --verify-every, of every command with --incremental that has verifications, and of `plan`.
struct VerifyEveryOption {
  std::string text = "30d";

  void describe(CLI::App& app);
  /// kInvalidArgument where it is given without --incremental.
  Status check_given_with(bool is_incremental) const;
  Result<std::chrono::milliseconds> resolve() const;

 private:
  CLI::Option* option_ = nullptr;
};

/// --incremental and what goes with it, of `etl` and `run`.
struct IncrementArguments {
  bool is_incremental = false;
  VerifyEveryOption verify_every;
  std::vector<std::string> added;
  uint64_t vanished_max = 0;

  void describe(CLI::App& app);
  /// Whether these fit together, and with the inputs of `etl`.
  Result<IncrementalEtlOptions> resolve(const EtlOptions& etl, const JobOptions& job) const;
};

/// Options of `sync`, also taken by `run`, where --column-symbol and --column-date name columns of
/// the transactions.
struct PriceArguments {
  std::string since;
  bool adjusted = false;
  PriceColumnNames columns;
  std::string bigquery_endpoint;
  std::string scanned_bytes_max;

  /// `key_prefix` begins the names of the options for symbol and date.
  void describe(CLI::App& app, const std::string& key_prefix);
  /// Everything but the width of the closes. Does not look for the source.
  Result<PriceReadOptions> resolve(const std::string& source, const JobOptions& job) const;
};

/// Options of `pnl`, also taken by `run`.
struct PnlArguments {
  std::string start = "2023-01-01";
  std::string as_of;
  bool daily = false;
  bool ledger = false;
  std::string merge_map;

  void describe(CLI::App& app);
  Result<PnlRunOptions> resolve(const JobOptions& job) const;
};

}  // namespace tapeworks
