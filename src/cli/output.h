#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/type_fwd.h>

#include <nlohmann/json.hpp>

#include "base/result.h"

namespace tapeworks {

/// The formats in which every command can give its result.
enum class OutputFormat { kTable, kJson, kJsonl, kCsv, kParquet };

std::optional<OutputFormat> parse_output_format(std::string_view text);

/// What `--format` asked for. main sets it before a command runs; without it the format is a table
/// when stdout is a terminal, otherwise jsonl.
void set_output_format(OutputFormat format);
OutputFormat output_format();

/// What matters to the format for people only.
struct TableNotes {
  /// Lines below the table.
  std::vector<std::string> footnotes;
  /// The result is one thing, not a list: its only row is shown as one line a field.
  bool single_thing = false;
};

/// Prints a result on stdout in output_format(). Column types: strings (plain or dictionary), bool,
/// integers, float, double, date32. Meant for answers that fit in memory easily.
///
/// Errors: kInvalidArgument when Parquet would go to a terminal; kIo when stdout cannot be written.
/// A reader that closed the pipe (`| head`) had enough: that is no error.
Status print_table(const arrow::Table& table, const TableNotes& notes = {});

/// The same for flat JSON objects (text, numbers, booleans, null); the columns are those of the
/// first record. A single record is shown as one thing.
Status print_records(const std::vector<nlohmann::ordered_json>& records,
                     const TableNotes& notes = {});

/// Prints text as it is, for results that have one form only (a path, help).
Status print_text(std::string_view text);

/// The text of a table in one of the formats; what print_table writes. `line_width_max` limits the
/// width of kTable by leaving out columns at the end (0: no limit).
Result<std::string> render_table(const arrow::Table& table, OutputFormat format,
                                 const TableNotes& notes, size_t line_width_max, bool bold_header);

/// A table with the fields of `records` as columns: int64, double, bool or utf8 each.
Result<std::shared_ptr<arrow::Table>> table_of_records(
    const std::vector<nlohmann::ordered_json>& records);

}  // namespace tapeworks
