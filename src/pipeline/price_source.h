#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <arrow/type_fwd.h>

#include "base/calendar_day.h"
#include "base/result.h"
#include "bigquery/bigquery_connection.h"
#include "pipeline/price_schema.h"
#include "storage/memory_budget.h"

namespace tapeworks {

/// Closes in a Parquet or CSV file or in a database, read in parts. The content decides which of
/// the two a file is. In a CSV file every value is text, so that symbol 0050 keeps its zeros; the
/// first line names the columns; commas or tabs part them. A database is an address
/// (database_address.h).
///
/// Memory: one row group of a Parquet file, 1 MiB of a CSV file, or one batch of a driver at a
/// time. Threads: one at a time.
class PriceSource {
 public:
  /// The three columns of some consecutive rows, of equal length.
  struct Part {
    int64_t first_row = 0;
    std::shared_ptr<arrow::Array> symbol;
    std::shared_ptr<arrow::Array> date;
    std::shared_ptr<arrow::Array> close;
  };

  /// `since` is a hint: a database may leave rows of earlier days out, a file does not. `bigquery`
  /// is for such a source alone.
  /// kInvalidArgument when there is no such file or table, kIo when it cannot be opened or the
  /// database not be reached, kCorrupt when it is neither format, or a column is missing, ambiguous
  /// or of a type that cannot be used.
  static Result<std::unique_ptr<PriceSource>> open(const std::string& source,
                                                   const PriceColumnNames& columns,
                                                   std::optional<Day> since,
                                                   const bigquery::Options& bigquery,
                                                   MemoryBudget& budget);
  virtual ~PriceSource() = default;

  /// The next rows; nothing at the end. kCorrupt for damaged content.
  virtual Result<std::optional<Part>> next() = 0;

  /// Where a row of the source is: "row group 0, row 17", both counted from 0; for a CSV file
  /// "row 18", where the line with the names is row 1, as editors count; for a database "row 18",
  /// counted from 1.
  virtual std::string place(int64_t row) const = 0;

  /// All rows of the source, as far as is known by now: what a Parquet footer claims, a guess from
  /// the rows so far for a CSV file, what the driver says for a database (0 when it cannot tell).
  virtual int64_t expected_row_count() const = 0;

  const std::string& name() const { return name_; }

 protected:
  explicit PriceSource(std::string name) : name_(std::move(name)) {}

 private:
  static Result<std::unique_ptr<PriceSource>> open_file(const std::string& where,
                                                        const PriceColumnNames& columns,
                                                        MemoryBudget& budget);

  std::string name_;
};

/// kInvalidArgument for a SOURCE that is neither a path of a file that exists nor a well-formed
/// address of a database, so that a command can refuse it before it touches anything.
Status check_price_source(const std::string& source);

/// A SOURCE as messages and run.json name it: the path, or what may be told of a database.
std::string price_source_name(const std::string& source);

}  // namespace tapeworks
