#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/result.h"
#include "storage/memory_budget.h"

namespace tapeworks {

/// The names of the columns to read; an empty one is guessed from the names that are in use.
struct PriceColumnNames {
  std::string symbol;
  std::string date;
  std::string close;
};

/// A Parquet or CSV file of closes, read in parts. The content decides which of the two it is. In a
/// CSV file every value is text, so that symbol 0050 keeps its zeros; the first line names the
/// columns; commas or tabs part them.
///
/// Memory: one row group of a Parquet file, or 1 MiB of a CSV file, at a time.
/// Threads: one at a time.
class PriceSource {
 public:
  /// The three columns of some consecutive rows, of equal length.
  struct Part {
    int64_t first_row = 0;
    std::shared_ptr<arrow::Array> symbol;
    std::shared_ptr<arrow::Array> date;
    std::shared_ptr<arrow::Array> close;
  };

  /// kInvalidArgument when there is no such file, kIo when it cannot be opened, kCorrupt when it is
  /// neither format, or a column is missing, ambiguous or of a type that cannot be used.
  static Result<std::unique_ptr<PriceSource>> open(const std::filesystem::path& path,
                                                   const PriceColumnNames& columns,
                                                   MemoryBudget& budget);
  virtual ~PriceSource() = default;

  /// The next rows; nothing at the end. kCorrupt for damaged content.
  virtual Result<std::optional<Part>> next() = 0;

  /// Where a row of the file is: "row group 0, row 17", both counted from 0, or for a CSV file
  /// "row 18", where the line with the names is row 1, as editors count.
  virtual std::string place(int64_t row) const = 0;

  /// All rows of the file, as far as is known by now: what a Parquet footer claims, or for a CSV
  /// file a guess from the rows so far.
  virtual int64_t expected_row_count() const = 0;

  const std::string& name() const { return name_; }

 protected:
  explicit PriceSource(std::string name) : name_(std::move(name)) {}

 private:
  std::string name_;
};

/// kInvalidArgument for a SOURCE that is no path of a file that exists (databases included), so
/// that a command can refuse it before it touches anything.
Status check_price_source(const std::string& source);

}  // namespace tapeworks
