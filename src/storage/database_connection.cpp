#include "storage/database_connection.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "arrow-adbc/adbc.h"
#include "arrow-adbc/adbc_driver_manager.h"
#include "base/interrupt.h"
#include "storage/arrow_status_internal.h"

namespace tapeworks {
namespace {

constexpr size_t kDriverMessageBytesMax = 500;
constexpr std::string_view kHidden = "***";

/// The driver's account of a failure; released with it.
struct DriverError {
  AdbcError error = ADBC_ERROR_INIT;

  DriverError() = default;
  DriverError(const DriverError&) = delete;
  DriverError& operator=(const DriverError&) = delete;
  ~DriverError() {
    if (error.release != nullptr) error.release(&error);
  }
};

/// DuckDB gives every failure the same status and begins its message with the kind.
bool duckdb_blames_the_query(std::string_view message) {
  constexpr std::array<std::string_view, 4> kKinds{"Catalog Error", "Binder Error", "Parser Error",
                                                   "Invalid Input Error"};
  return std::ranges::any_of(kKinds, [message](std::string_view kind) {
    return message.starts_with(kind) || message.starts_with(fmt::format("INTERNAL: {}", kind));
  });
}

std::string_view sqlstate_class(const AdbcError& error) {
  if (error.sqlstate[0] == '\0') return {};
  return {error.sqlstate, 2};
}

/// Which of the sides a refused option or query, or a connection that failed, is the fault of.
ErrorKind kind_of_refusal(AdbcStatusCode status, const AdbcError& error) {
  constexpr std::string_view kNoPrivilege = "42501";
  if (std::string_view(error.sqlstate, sizeof error.sqlstate) == kNoPrivilege)
    return ErrorKind::kIo;
  if (sqlstate_class(error) == "22") return ErrorKind::kCorrupt;
  switch (status) {
    case ADBC_STATUS_NOT_IMPLEMENTED:
    case ADBC_STATUS_NOT_FOUND:
    case ADBC_STATUS_INVALID_ARGUMENT:
      return ErrorKind::kInvalidArgument;
    case ADBC_STATUS_INVALID_DATA:
    case ADBC_STATUS_INTEGRITY:
      return ErrorKind::kCorrupt;
    case ADBC_STATUS_CANCELLED:
      return ErrorKind::kCancelled;
    default:
      break;
  }
  if (sqlstate_class(error) == "42") return ErrorKind::kInvalidArgument;
  const bool query = error.message != nullptr && duckdb_blames_the_query(error.message);
  return query ? ErrorKind::kInvalidArgument : ErrorKind::kIo;
}

void replace_all(std::string& text, std::string_view part, std::string_view replacement) {
  for (size_t at = text.find(part); at != std::string::npos;
       at = text.find(part, at + replacement.size())) {
    text.replace(at, part.size(), replacement);
  }
}

std::string message_of(const AdbcError& error, AdbcStatusCode status,
                       const DatabaseOptions& options) {
  const char* message = error.message != nullptr ? error.message : AdbcStatusCodeMessage(status);
  return public_driver_message(message, options.secrets);
}

/// What a driver may be called for the driver manager. It finds a name by its manifest, or where
/// the system's loader looks; a library in a folder of ADBC_DRIVER_PATH only by its path.
std::vector<std::string> driver_candidates(const std::string& driver) {
  std::vector<std::string> candidates{driver};
  if (driver.find('/') != std::string::npos) return candidates;
  const std::string library = "libadbc_driver_" + driver + ".so";
  const char* variable = std::getenv("ADBC_DRIVER_PATH");
  std::string_view folders = variable != nullptr ? variable : "";
  while (!folders.empty()) {
    const size_t end = folders.find(':');
    const auto path = std::filesystem::path(folders.substr(0, end)) / library;
    std::error_code error;
    if (std::filesystem::exists(path, error)) {
      candidates.push_back(std::filesystem::absolute(path, error));
    }
    if (end == std::string_view::npos) break;
    folders.remove_prefix(end + 1);
  }
  candidates.push_back(library);
  return candidates;
}

/// The rows of one statement, which lives as long.
class StreamedRows final : public DatabaseRows {
 public:
  explicit StreamedRows(const DatabaseOptions& options) : options_(options) {}
  StreamedRows(const StreamedRows&) = delete;
  StreamedRows& operator=(const StreamedRows&) = delete;
  ~StreamedRows() override {
    if (stream_.release != nullptr) stream_.release(&stream_);
    DriverError ignored;
    if (statement_.private_data != nullptr) AdbcStatementRelease(&statement_, &ignored.error);
  }

  Status execute(AdbcConnection& connection, const std::string& sql) {
    DriverError error;
    TW_TRY(accept(AdbcStatementNew(&connection, &statement_, &error.error), error));
    for (const auto& [key, value] : options_.statement) {
      const auto status =
          AdbcStatementSetOption(&statement_, key.c_str(), value.c_str(), &error.error);
      if (status != ADBC_STATUS_OK) {
        return invalid_argument("{}: the driver refuses the option statement.{}: {}",
                                options_.where, key, message_of(error.error, status, options_));
      }
    }
    TW_TRY(accept(AdbcStatementSetSqlQuery(&statement_, sql.c_str(), &error.error), error));
    int64_t row_count = -1;
    TW_TRY(
        accept(AdbcStatementExecuteQuery(&statement_, &stream_, &row_count, &error.error), error));
    expected_row_count_ = std::max<int64_t>(row_count, 0);
    ArrowSchema schema{};
    TW_TRY(accept_read(stream_.get_schema(&stream_, &schema)));
    TW_ASSIGN(schema_, from_arrow(arrow::ImportSchema(&schema), options_.where));
    return {};
  }

  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }
  int64_t expected_row_count() const override { return expected_row_count_; }

  Result<std::shared_ptr<arrow::RecordBatch>> next() override {
    ArrowArray batch{};
    TW_TRY(accept_read(stream_.get_next(&stream_, &batch)));
    if (batch.release == nullptr) return nullptr;
    return from_arrow(arrow::ImportRecordBatch(&batch, schema_), options_.where);
  }

 private:
  Status accept(AdbcStatusCode status, const DriverError& error) const {
    if (status == ADBC_STATUS_OK) return {};
    return fail(kind_of_refusal(status, error.error), "{}: the query failed: {}", options_.where,
                message_of(error.error, status, options_));
  }

  /// The stream's own functions answer with an errno and keep the message.
  Status accept_read(int code) {
    if (code == 0) return {};
    TW_TRY(check_interrupt());
    const char* text = stream_.get_last_error(&stream_);
    const std::string message =
        public_driver_message(text != nullptr ? text : std::strerror(code), options_.secrets);
    if (read_failure_kind(code, message) == ErrorKind::kIo) {
      return io_error("{}: reading rows failed: {}", options_.where, message);
    }
    return corrupt("{}: a value cannot be read: {}; convert the column in the query (CAST)",
                   options_.where, message);
  }

  ErrorKind read_failure_kind(int code, std::string_view message) {
    // SQLite's driver calls this an I/O failure.
    if (message.find("Type mismatch in column") != std::string_view::npos) {
      return ErrorKind::kCorrupt;
    }
    AdbcStatusCode status = ADBC_STATUS_OK;
    const AdbcError* error = AdbcErrorFromArrayStream(&stream_, &status);
    if (error != nullptr && sqlstate_class(*error) == "22") return ErrorKind::kCorrupt;
    if (error != nullptr && !sqlstate_class(*error).empty()) return ErrorKind::kIo;
    if (status == ADBC_STATUS_INVALID_DATA) return ErrorKind::kCorrupt;
    return code == EINVAL ? ErrorKind::kCorrupt : ErrorKind::kIo;
  }

  const DatabaseOptions& options_;
  AdbcStatement statement_{};
  ArrowArrayStream stream_{};
  std::shared_ptr<arrow::Schema> schema_;
  int64_t expected_row_count_ = 0;
};

class DriverConnection final : public DatabaseConnection {
 public:
  explicit DriverConnection(DatabaseOptions options) : options_(std::move(options)) {}
  DriverConnection(const DriverConnection&) = delete;
  DriverConnection& operator=(const DriverConnection&) = delete;
  ~DriverConnection() override {
    DriverError ignored;
    if (connection_.private_data != nullptr) AdbcConnectionRelease(&connection_, &ignored.error);
    if (database_.private_data != nullptr) AdbcDatabaseRelease(&database_, &ignored.error);
  }

  Status connect() {
    TW_TRY(find_driver());
    TW_TRY(open_database());
    return open_connection();
  }

  Result<std::unique_ptr<DatabaseRows>> query(const std::string& sql) override {
    auto rows = std::make_unique<StreamedRows>(options_);
    TW_TRY(rows->execute(connection_, sql));
    return rows;
  }

  Result<std::shared_ptr<arrow::Schema>> columns_of(const std::string& table) override {
    TW_ASSIGN(const auto none, query(fmt::format("SELECT * FROM {} WHERE 1 = 0", table)));
    return none->schema();
  }

 private:
  /// Loads the driver once for trial, because a failure of AdbcDatabaseInit does not say whether
  /// the driver or the database is missing. "sqlite" may also be the name of
  /// libadbc_driver_sqlite.so.
  Status find_driver() {
    const std::vector<std::string> candidates = driver_candidates(options_.driver);
    std::string reason;
    for (const std::string& candidate : candidates) {
      DriverError error;
      AdbcDriver driver{};
      const char* entrypoint = options_.entrypoint.empty() ? nullptr : options_.entrypoint.c_str();
      const auto status =
          AdbcFindLoadDriver(candidate.c_str(), entrypoint, ADBC_VERSION_1_1_0,
                             ADBC_LOAD_FLAG_DEFAULT, nullptr, &driver, &error.error);
      if (status == ADBC_STATUS_OK) {
        DriverError ignored;
        if (driver.release != nullptr) driver.release(&driver, &ignored.error);
        options_.driver = candidate;
        return {};
      }
      if (reason.empty()) reason = message_of(error.error, status, options_);
    }
    return io_error(
        "{}: the ADBC driver cannot be loaded ({}); install it, and give its path or set "
        "ADBC_DRIVER_PATH to its folder",
        options_.where, reason);
  }

  Status open_database() {
    DriverError error;
    TW_TRY(accept(AdbcDatabaseNew(&database_, &error.error), error));
    TW_TRY(accept(
        AdbcDriverManagerDatabaseSetLoadFlags(&database_, ADBC_LOAD_FLAG_DEFAULT, &error.error),
        error));
    TW_TRY(set_database_option("driver", options_.driver));
    if (!options_.entrypoint.empty()) {
      TW_TRY(set_database_option("entrypoint", options_.entrypoint));
    }
    for (const auto& [key, value] : options_.database) TW_TRY(set_database_option(key, value));
    return accept(AdbcDatabaseInit(&database_, &error.error), error);
  }

  Status open_connection() {
    DriverError error;
    TW_TRY(accept(AdbcConnectionNew(&connection_, &error.error), error));
    for (const auto& [key, value] : options_.connection) {
      const auto status =
          AdbcConnectionSetOption(&connection_, key.c_str(), value.c_str(), &error.error);
      if (status != ADBC_STATUS_OK) {
        return invalid_argument("{}: the driver refuses the option connection.{}: {}",
                                options_.where, key, message_of(error.error, status, options_));
      }
    }
    return accept(AdbcConnectionInit(&connection_, &database_, &error.error), error);
  }

  Status set_database_option(const std::string& key, const std::string& value) {
    DriverError error;
    return accept(AdbcDatabaseSetOption(&database_, key.c_str(), value.c_str(), &error.error),
                  error);
  }

  Status accept(AdbcStatusCode status, const DriverError& error) const {
    if (status == ADBC_STATUS_OK) return {};
    const ErrorKind kind = kind_of_refusal(status, error.error);
    const std::string message = message_of(error.error, status, options_);
    if (kind == ErrorKind::kInvalidArgument) {
      return invalid_argument("{}: the driver refuses its options: {}", options_.where, message);
    }
    return io_error("{}: the database cannot be opened: {}", options_.where, message);
  }

  DatabaseOptions options_;
  AdbcDatabase database_{};
  AdbcConnection connection_{};
};

}  // namespace

std::string public_driver_message(std::string_view message,
                                  const std::vector<std::string>& secrets) {
  std::string text(message);
  // Long ones first: one secret may be a part of another.
  std::vector<std::string_view> hidden(secrets.begin(), secrets.end());
  std::ranges::sort(hidden, std::ranges::greater{}, &std::string_view::size);
  for (const std::string_view secret : hidden) {
    if (!secret.empty()) replace_all(text, secret, kHidden);
  }
  // What follows the first line repeats the query, or draws an arrow below it.
  text = text.substr(0, text.find('\n'));
  std::ranges::replace_if(text, [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  if (text.size() > kDriverMessageBytesMax) text.resize(kDriverMessageBytesMax);
  text.resize(text.find_last_not_of(" .") + 1);
  return text;
}

Result<std::unique_ptr<DatabaseConnection>> DatabaseConnection::open(DatabaseOptions options) {
  auto connection = std::make_unique<DriverConnection>(std::move(options));
  TW_TRY(connection->connect());
  return connection;
}

}  // namespace tapeworks
