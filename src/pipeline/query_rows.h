#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/array/array_binary.h>
#include <arrow/type_fwd.h>

#include "base/result.h"
#include "pipeline/broker_activity.h"

namespace tapeworks {

// Choosing and ordering rows of small tables, for the answers of queries. Arrow's compute functions
// could do it, but registering them takes longer than a whole query.
// Errors of all: kMemoryBudget when `pool` refuses, kCorrupt for a missing column or an odd type.

/// The same rows with every column in one array and all texts (dictionary, large, view) as utf8, so
/// that our own files and those of other programs look alike.
Result<std::shared_ptr<arrow::Table>> plain_table(const arrow::Table& table,
                                                  const std::string& where,
                                                  arrow::MemoryPool* pool);

/// A utf8 column of a plain table.
Result<std::shared_ptr<arrow::StringArray>> text_column(const arrow::Table& table,
                                                        const std::string& column);

/// A float64 column of a plain table.
Result<std::shared_ptr<arrow::DoubleArray>> double_column(const arrow::Table& table,
                                                          const std::string& column);

/// What a plain table of the ranking says of its brokers' activity, by row.
Result<std::vector<BrokerActivity>> broker_activity(const arrow::Table& ranking);

/// The rows of a plain table, in the order given.
Result<std::shared_ptr<arrow::Table>> take_rows(const arrow::Table& table,
                                                std::span<const int64_t> rows,
                                                arrow::MemoryPool* pool);

/// All rows of a plain table, best first: numbers descending, text ascending; null and NaN last;
/// equal ones as they stand.
Result<std::vector<int64_t>> order_by_column(const arrow::Table& table, const std::string& column);

/// The text at `row`; nothing for null.
std::optional<std::string_view> text_at(const arrow::StringArray& array, int64_t row);

}  // namespace tapeworks
