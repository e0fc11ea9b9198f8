#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/result.h"

namespace tapeworks {

/// How to reach a database through its ADBC driver.
struct DatabaseOptions {
  using List = std::vector<std::pair<std::string, std::string>>;

  std::string
      driver;  ///< path of a library, or a name (docs/commands/sync.md says where it is looked for)
  std::string entrypoint;  ///< the library's init function; empty means the usual ones
  List database;           ///< options of the driver, each by its key
  List connection;
  List statement;
  /// Texts that no message may contain: each is replaced wherever the driver repeats it.
  std::vector<std::string> secrets;
  /// Begins each message.
  std::string where;
};

/// What a driver said, as one line that holds none of `secrets`.
std::string public_driver_message(std::string_view message,
                                  const std::vector<std::string>& secrets);

/// The rows that a query answers with, read as they arrive.
///
/// Ownership: must not outlive its connection, nor may the batches, whose memory is the driver's.
/// Threads: one at a time.
class DatabaseRows {
 public:
  virtual ~DatabaseRows() = default;
  virtual const std::shared_ptr<arrow::Schema>& schema() const = 0;
  /// How many rows there will be, as the driver says; 0 when it cannot tell.
  virtual int64_t expected_row_count() const = 0;
  /// The next rows; null at the end. kIo when the connection is lost, kCorrupt when the database or
  /// the driver cannot make a value, kCancelled.
  virtual Result<std::shared_ptr<arrow::RecordBatch>> next() = 0;
};

/// A connection to a database. Threads: one at a time.
class DatabaseConnection {
 public:
  /// One through an ADBC driver, which is loaded now. kIo when there is no such driver, or the
  /// database cannot be reached or refuses the login; kInvalidArgument for an option that the
  /// driver does not know.
  static Result<std::unique_ptr<DatabaseConnection>> open(DatabaseOptions options);
  virtual ~DatabaseConnection() = default;

  /// kInvalidArgument when the database cannot understand the query or knows no such table; kIo
  /// when it cannot answer.
  virtual Result<std::unique_ptr<DatabaseRows>> query(const std::string& sql) = 0;

  /// The columns of a table, named as SQL names it, without reading its rows. Errors: as query().
  virtual Result<std::shared_ptr<arrow::Schema>> columns_of(const std::string& table) = 0;
};

}  // namespace tapeworks
