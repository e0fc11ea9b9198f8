#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "bigquery/bigquery_address.h"
#include "storage/database_connection.h"
#include "storage/memory_budget.h"

namespace tapeworks::bigquery {

struct Options {
  /// URL of the service; empty: BIGQUERY_EMULATOR_HOST, or Google's.
  std::string endpoint;
  /// A query that would scan more is refused before it runs.
  std::optional<uint64_t> scanned_bytes_max;
};

/// kInvalidArgument for options that make no sense, before anybody is asked.
Status check_options(const Options& options);

/// BigQuery over its REST API: queries are run by jobs.query and read page by page. Before a query
/// runs, a dry run tells how many bytes it will scan, which is announced on stderr.
///
/// The login comes from the environment (google_login.h). It goes to an https server or to this
/// machine alone, and never to the one of BIGQUERY_EMULATOR_HOST.
///
/// Memory: one page of kPageRows rows, from `budget`. Errors of open() and its result: as those of
/// DatabaseConnection; kInvalidArgument also for a missing login, an unknown project, dataset or
/// table, and a query beyond `scanned_bytes_max`; kIo for a refused login, once requests that fail
/// have been made again for request_patience(). Ownership: `budget` must outlive the connection.
inline constexpr uint32_t kPageRows = 50'000;
Result<std::unique_ptr<DatabaseConnection>> open(const Address& address, const Options& options,
                                                 MemoryBudget& budget);

}  // namespace tapeworks::bigquery
