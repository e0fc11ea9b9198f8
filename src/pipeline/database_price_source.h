#pragma once

#include <memory>
#include <optional>
#include <string>

#include "bigquery/bigquery_connection.h"
#include "pipeline/price_source.h"

namespace tapeworks {

/// Closes in a database, read through its ADBC driver or from BigQuery as they arrive. Of a table
/// only the three columns are asked for, and where the column of dates is of a date type, only rows
/// from about `since` on. Blanks at the end of symbols, as char(n) columns have them, are taken
/// off.
///
/// Memory: one batch of the driver, one page of BigQuery. Errors: as PriceSource::open.
Result<std::unique_ptr<PriceSource>> open_database_price_source(const std::string& source,
                                                                const PriceColumnNames& columns,
                                                                std::optional<Day> since,
                                                                const bigquery::Options& bigquery,
                                                                MemoryBudget& budget);

}  // namespace tapeworks
