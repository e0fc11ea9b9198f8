#pragma once

#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "base/calendar_day.h"
#include "base/result.h"
#include "cli/output.h"
#include "cli/work_options.h"
#include "pipeline/query.h"
#include "storage/generation_store.h"

namespace tapeworks {

/// What the four commands that ask a data directory have in common.
struct QueryOptions {
  DataOption data;
  WorkOptions work;
  bool allow_stale = false;
  bool merged = false;

  void describe(CLI::App& app);
  Status check() const;
};

/// A generation held open with all that a query needs.
struct OpenedQuery {
  std::unique_ptr<MemoryBudget> budget;
  std::unique_ptr<GenerationReader> generation;

  static Result<OpenedQuery> open(const QueryOptions& options);

  QueryContext context(const QueryOptions& options) const;
};

/// --top N. Without it people see the first 20 rows, and programs all of them.
struct TopOption {
  size_t top = 0;

  void describe(CLI::App& app);

  /// The first rows of the answer; what is left out stands in `notes`.
  std::shared_ptr<arrow::Table> apply(const std::shared_ptr<arrow::Table>& table,
                                      TableNotes& notes) const;
};

/// The day of an option; nothing when it was not given. kInvalidArgument for what is no day.
Result<std::optional<Day>> parse_day_option(const char* option, const std::string& text);

}  // namespace tapeworks
