#pragma once

#include <memory>
#include <string>

#include <arrow/type_fwd.h>

#include "base/result.h"
#include "bigquery/rest_answer.h"

namespace tapeworks::bigquery {

/// Metadata of a field whose type has no plain value (BYTES, ARRAY, RECORD ...): its name in
/// BigQuery. Such a column is of Arrow's type null and all its values are.
inline constexpr const char* kUnreadableTypeKey = "BIGQUERY:type";

/// The columns that "schema" of an answer names. STRING, NUMERIC and BIGNUMERIC are text, INT64
/// int64, FLOAT64 float64, DATE date32, TIMESTAMP an instant and DATETIME a time without a zone, in
/// microseconds. kIo, without the name of the server, when there is no schema.
Result<std::shared_ptr<arrow::Schema>> columns_of(const RestAnswer& answer);

/// The rows of an answer. kIo when they do not fit the columns, kCorrupt when a value is not of its
/// type, naming column and row; kMemoryBudget.
Result<std::shared_ptr<arrow::RecordBatch>> rows_of(const RestAnswer& answer,
                                                    const std::shared_ptr<arrow::Schema>& columns,
                                                    const std::string& where,
                                                    arrow::MemoryPool* pool);

}  // namespace tapeworks::bigquery
