#include "cli/recording_query.h"

#include <array>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/table.h>
#include <arrow/util/byte_size.h>

#include "base/units.h"
#include "storage/arrow_status_internal.h"
#include "storage/parquet_read.h"
#include "storage/parquet_stream_writer.h"

namespace tapeworks {
namespace {

using recorder::RecordingSnapshot;
using recorder::SnapshotFile;
using recorder::TableKind;

constexpr std::string_view kWhere = "sql";
constexpr const char* kEntrypoint = "duckdb_adbc_init";

struct View {
  TableKind table;
  const char* name;
};
constexpr std::array kViews{View{TableKind::kRows, "ticks"}, View{TableKind::kGaps, "gaps"},
                            View{TableKind::kEvents, "events"},
                            View{TableKind::kInstruments, "instruments"},
                            View{TableKind::kQuarantine, "quarantine"}};

std::string sql_quoted(std::string_view text, char quote) {
  std::string result(1, quote);
  for (const char c : text) {
    if (c == quote) result += quote;
    result += c;
  }
  return result + quote;
}

std::string list_of(std::span<const SnapshotFile> files) {
  std::string list = "[";
  for (const SnapshotFile& file : files) {
    if (list.size() > 1) list += ",";
    list += sql_quoted(file.path, '\'');
  }
  return list + "]";
}

/// Rows of the files up to an LSN that holds for all of them.
std::string rows_of(std::span<const SnapshotFile> files, uint64_t last_lsn) {
  return fmt::format(
      " UNION ALL SELECT * FROM read_parquet({}, hive_partitioning = false) WHERE lsn <= {}",
      list_of(files), last_lsn);
}

/// What an answer shows of a column of this type.
std::string shown(const std::string& column, std::string_view type) {
  constexpr std::array<std::string_view, 13> kAsTheyAre{
      "BOOLEAN",  "TINYINT", "SMALLINT", "INTEGER", "BIGINT",  "UTINYINT", "USMALLINT",
      "UINTEGER", "UBIGINT", "FLOAT",    "DOUBLE",  "VARCHAR", "DATE"};
  for (const std::string_view known : kAsTheyAre) {
    if (type == known) return column;
  }
  const bool is_number = type == "HUGEINT" || type == "UHUGEINT" || type.starts_with("DECIMAL");
  return fmt::format("CAST({} AS {})", column, is_number ? "DOUBLE" : "VARCHAR");
}

std::string text_at(const arrow::RecordBatch& batch, const char* column, int64_t row) {
  const auto array = batch.GetColumnByName(column);
  if (array == nullptr) return {};
  const auto value = array->GetScalar(row);
  return value.ok() ? (*value)->ToString() : std::string();
}

/// The Parquet file that DuckDB names in quotes; empty when it names none.
std::filesystem::path file_named_in(std::string_view message) {
  constexpr std::string_view kSuffix = ".parquet";
  for (const char quote : {'\'', '"'}) {
    const size_t end = message.find(std::string(kSuffix) + quote);
    if (end == std::string_view::npos) continue;
    const size_t begin = message.rfind(quote, end);
    if (begin != std::string_view::npos && begin < end) {
      return message.substr(begin + 1, end + kSuffix.size() - begin - 1);
    }
  }
  return {};
}

/// DuckDB takes a damaged file for a wrong query.
template <typename T>
Result<T> blame_file(Result<T> result) {
  if (result) return result;
  const auto file = file_named_in(result.error().message);
  if (file.empty()) return result;
  const auto info = read_parquet_info(file, arrow::default_memory_pool());
  if (info || info.error().kind != ErrorKind::kCorrupt) return result;
  return corrupt("{}: {}: this file is damaged; make its hour again with tapeworks replay", kWhere,
                 file.string());
}

}  // namespace

Status RecordingQuery::execute(const std::string& sql) {
  TW_ASSIGN(const auto rows, blame_file(connection_->query(sql)));
  while (true) {
    TW_ASSIGN(const auto batch, blame_file(rows->next()));
    if (batch == nullptr) return {};
  }
}

Status RecordingQuery::make_view(const RecordingSnapshot& snapshot, TableKind table,
                                 const std::string& name) {
  // So that a table without rows has its columns all the same.
  const auto empty = options_.scratch_dir / (name + "_empty.parquet");
  ParquetStreamWriter writer(arrow::default_memory_pool());
  TW_TRY(writer.open(empty, recorder::arrow_schema_of(table)));
  TW_ASSIGN(const WrittenFile written, writer.finish({}));
  static_cast<void>(written);
  const recorder::SnapshotTable& files = snapshot.of(table);
  std::string sql = fmt::format("CREATE VIEW {} AS SELECT * FROM read_parquet({})", name,
                                sql_quoted(empty.string(), '\''));
  if (!files.published.empty()) sql += rows_of(files.published, snapshot.checkpoint_lsn);
  if (!files.parts.empty()) sql += rows_of(files.parts, snapshot.checkpoint_lsn);
  if (!files.tail.empty()) sql += rows_of(files.tail, snapshot.last_lsn);
  if (!files.growing.empty()) {
    TW_TRY(
        execute(fmt::format("CREATE TABLE {}_limits (filename VARCHAR, limit_lsn UBIGINT)", name)));
    std::string values;
    for (const SnapshotFile& file : files.growing) {
      values += fmt::format("{}({}, {})", values.empty() ? "" : ",", sql_quoted(file.path, '\''),
                            file.last_lsn);
    }
    TW_TRY(execute(fmt::format("INSERT INTO {}_limits VALUES {}", name, values)));
    sql += fmt::format(
        " UNION ALL SELECT * EXCLUDE (filename, limit_lsn) FROM (FROM read_parquet({}, filename = "
        "true, hive_partitioning = false) JOIN {}_limits USING (filename)) WHERE lsn <= limit_lsn",
        list_of(files.growing), name);
  }
  return execute(sql);
}

Status RecordingQuery::set_up(const RecordingSnapshot& snapshot) {
  const auto spill = options_.scratch_dir / "spill";
  for (const std::string& setting :
       {fmt::format("memory_limit = '{}B'", options_.memory_bytes),
        fmt::format("temp_directory = {}", sql_quoted(spill.string(), '\'')),
        fmt::format("threads = {}", options_.thread_count),
        // Nothing is fetched from the network.
        std::string("autoinstall_known_extensions = false")}) {
    TW_TRY(execute("SET " + setting));
  }
  for (const View& view : kViews) TW_TRY(make_view(snapshot, view.table, view.name));
  for (const char* const stream : {"trade", "book", "l5"}) {
    TW_TRY(execute(fmt::format("CREATE VIEW {} AS FROM ticks WHERE stream = '{}'",
                               stream == std::string_view("trade") ? "trades" : stream, stream)));
  }
  return execute(fmt::format(
      "CREATE VIEW snapshot AS SELECT {}::UBIGINT AS last_lsn, {}::UBIGINT AS tail_rows, "
      "{}::UBIGINT AS lost_records",
      snapshot.last_lsn, snapshot.tail_rows, snapshot.lost_records));
}

Result<std::unique_ptr<RecordingQuery>> RecordingQuery::open(const RecordingSnapshot& snapshot,
                                                             RecordingQueryOptions options) {
  DatabaseOptions database;
  database.driver = options.library;
  database.entrypoint = kEntrypoint;
  database.database = {{"path", ":memory:"}};
  database.where = kWhere;
  auto connection = DatabaseConnection::open(std::move(database));
  if (!connection) {
    return fail(connection.error().kind,
                "{}; set TAPEWORKS_DUCKDB_LIBRARY to DuckDB's libduckdb.so",
                connection.error().message);
  }
  std::unique_ptr<RecordingQuery> query(
      new RecordingQuery(std::move(options), std::move(*connection)));
  TW_TRY(query->set_up(snapshot));
  return query;
}

Result<std::shared_ptr<arrow::Table>> RecordingQuery::run(const std::string& sql) {
  const std::string query = sql.substr(0, sql.find_last_not_of(" \t\r\n;") + 1);
  std::string columns;
  std::string aliases;
  {
    TW_ASSIGN(const auto description, blame_file(connection_->query("DESCRIBE " + query)));
    size_t count = 0;
    while (true) {
      TW_ASSIGN(const auto batch, blame_file(description->next()));
      if (batch == nullptr) break;
      for (int64_t row = 0; row < batch->num_rows(); ++row, ++count) {
        const std::string alias = fmt::format("column{}", count);
        const char* const comma = count == 0 ? "" : ", ";
        aliases += comma + alias;
        columns +=
            fmt::format("{}{} AS {}", comma, shown(alias, text_at(*batch, "column_type", row)),
                        sql_quoted(text_at(*batch, "column_name", row), '"'));
      }
    }
  }
  // A comment at its end must not hide what follows.
  TW_ASSIGN(const auto rows, blame_file(connection_->query(fmt::format(
                                 "SELECT {} FROM ({}\n) AS answer({})", columns, query, aliases))));
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  uint64_t byte_count = 0;
  while (true) {
    TW_ASSIGN(auto batch, blame_file(rows->next()));
    if (batch == nullptr) break;
    byte_count += static_cast<uint64_t>(arrow::util::TotalBufferSize(*batch));
    if (byte_count > options_.answer_bytes_max) {
      return over_budget("{}: the answer has more than {}; ask for less, or give more --memory",
                         kWhere, format_byte_size(options_.answer_bytes_max));
    }
    // The driver's memory goes with the rows.
    TW_ASSIGN(batch, from_arrow(batch->CopyTo(arrow::default_cpu_memory_manager()), kWhere));
    batches.push_back(std::move(batch));
  }
  return from_arrow(arrow::Table::FromRecordBatches(rows->schema(), batches), kWhere);
}

}  // namespace tapeworks
