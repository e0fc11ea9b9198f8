#include "pipeline/database_price_source.h"

#include <string_view>
#include <utility>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/extension_type.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>
#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>

#include "bigquery/bigquery_connection.h"
#include "bigquery/result_columns.h"
#include "pipeline/database_address.h"
#include "pipeline/price_columns.h"
#include "storage/arrow_status_internal.h"
#include "storage/database_connection.h"

namespace tapeworks {
namespace {

/// A driver, its buffers and the batch it is filling; what a batch takes beyond that is added.
constexpr uint64_t kDriverBytes = uint64_t{48} * 1024 * 1024;

bool ends_with_blank(const arrow::Array& column) {
  bool found = false;
  visit_text(column, [&found](int64_t, std::optional<std::string_view> text) {
    found = found || (text && text->ends_with(' '));
  });
  return found;
}

arrow::Result<std::shared_ptr<arrow::Array>> without_blanks_at_end(const arrow::Array& column,
                                                                   arrow::MemoryPool* pool) {
  arrow::StringBuilder builder(pool);
  arrow::Status status;
  visit_text(column, [&](int64_t, std::optional<std::string_view> text) {
    if (!status.ok()) return;
    status = text ? builder.Append(text->substr(0, text->find_last_not_of(' ') + 1))
                  : builder.AppendNull();
  });
  ARROW_RETURN_NOT_OK(status);
  return builder.Finish();
}

bool has_calendar_type(const arrow::DataType& type) {
  return type.id() == arrow::Type::DATE32 || type.id() == arrow::Type::DATE64 ||
         type.id() == arrow::Type::TIMESTAMP;
}

/// The values inside an extension type: PostgreSQL's numeric arrives as text in one that is opaque.
std::shared_ptr<arrow::Array> plain_values(const std::shared_ptr<arrow::Array>& column) {
  if (column->type_id() != arrow::Type::EXTENSION) return column;
  return static_cast<const arrow::ExtensionArray&>(*column).storage();
}

std::shared_ptr<arrow::Schema> plain_types(const arrow::Schema& schema) {
  arrow::FieldVector fields;
  for (const auto& field : schema.fields()) {
    const bool plain = field->type()->id() != arrow::Type::EXTENSION;
    fields.push_back(
        plain ? field
              : field->WithType(
                    static_cast<const arrow::ExtensionType&>(*field->type()).storage_type()));
  }
  return arrow::schema(std::move(fields));
}

std::string metadata_of(const arrow::Field& field, const char* key) {
  const auto& metadata = field.metadata();
  return metadata == nullptr ? std::string() : metadata->Get(key).ValueOr("");
}

/// Types whose Arrow form does not say what they are.
Status refuse_hidden_types(const arrow::Schema& schema, const PriceColumnIndices& columns,
                           const std::string& where) {
  for (const int index : {columns.symbol, columns.date, columns.close}) {
    const arrow::Field& field = *schema.field(index);
    // PostgreSQL's driver hands over money as a count of cents.
    if (metadata_of(field, "POSTGRESQL:type") == "money") {
      return corrupt(
          "{}: column '{}' is of type money, which has no fixed scale; cast it to numeric", where,
          field.name());
    }
    const std::string type = metadata_of(field, bigquery::kUnreadableTypeKey);
    if (type.empty()) continue;
    return corrupt("{}: column '{}' is of type {}; a text, a number or a date is needed", where,
                   field.name(), type);
  }
  return {};
}

/// What to read from a database, in its dialect.
struct Selection {
  std::string table;  ///< as SQL writes it
  std::string query;  ///< exactly one of both is there
  char quote = '"';   ///< around the names of columns
};

class DatabasePriceSource final : public PriceSource {
 public:
  DatabasePriceSource(std::string name, std::unique_ptr<DatabaseConnection> connection,
                      MemoryBudget& budget)
      : PriceSource(std::move(name)), budget_(budget), connection_(std::move(connection)) {}

  Status start(const Selection& selection, const PriceColumnNames& wanted,
               std::optional<Day> since) {
    if (!budget_.try_reserve(kDriverBytes, reservation_)) {
      return over_budget("{}: no memory is left to read it; give a larger --memory", name());
    }
    std::string sql = selection.query;
    if (sql.empty()) {
      TW_ASSIGN(sql, table_query(selection, wanted, since));
    }
    TW_ASSIGN(rows_, connection_->query(sql));
    const auto plain = plain_types(*rows_->schema());
    const arrow::Schema& schema = *plain;
    TW_ASSIGN(columns_, find_price_columns(schema.field_names(), wanted, name()));
    TW_TRY(refuse_hidden_types(schema, columns_, name()));
    return check_price_types(schema, columns_, name());
  }

  Result<std::optional<Part>> next() override {
    while (true) {
      TW_ASSIGN(const auto batch, rows_->next());
      if (batch == nullptr) return std::nullopt;
      if (batch->num_rows() == 0) continue;
      TW_TRY(account_for(*batch));
      Part part{next_row_, plain_values(batch->column(columns_.symbol)),
                plain_values(batch->column(columns_.date)),
                plain_values(batch->column(columns_.close))};
      if (ends_with_blank(*part.symbol)) {
        TW_ASSIGN(part.symbol,
                  from_arrow(without_blanks_at_end(*part.symbol, budget_.pool()), name()));
      }
      next_row_ += batch->num_rows();
      return part;
    }
  }

  std::string place(int64_t row) const override { return fmt::format("row {}", row + 1); }
  int64_t expected_row_count() const override { return rows_->expected_row_count(); }

 private:
  Result<std::string> table_query(const Selection& selection, const PriceColumnNames& wanted,
                                  std::optional<Day> since) {
    TW_ASSIGN(const auto columns, connection_->columns_of(selection.table));
    const arrow::Schema& schema = *columns;
    TW_ASSIGN(const auto found, find_price_columns(schema.field_names(), wanted, name()));
    TW_TRY(refuse_hidden_types(schema, found, name()));
    const auto column = [&](int index) {
      return quoted_name(schema.field(index)->name(), selection.quote);
    };
    std::string sql = fmt::format("SELECT {}, {}, {} FROM {}", column(found.symbol),
                                  column(found.date), column(found.close), selection.table);
    if (since && has_calendar_type(*schema.field(found.date)->type())) {
      // A day early: the database compares instants in a zone of its own. A row without date must
      // come through, to be refused.
      const Day from{since->days_since_epoch - 1};
      sql += fmt::format(" WHERE {0} >= '{1}' OR {0} IS NULL", column(found.date), to_string(from));
    }
    return sql;
  }

  Status account_for(const arrow::RecordBatch& batch) {
    TW_ASSIGN(const int64_t batch_bytes,
              from_arrow(arrow::util::ReferencedBufferSize(batch), name()));
    const uint64_t needed = kDriverBytes + static_cast<uint64_t>(batch_bytes);
    if (needed <= reservation_.bytes() || reservation_.resize(needed)) return {};
    return over_budget("{}: a batch of {} rows takes {} MiB; give a larger --memory", name(),
                       batch.num_rows(), batch_bytes / (1024 * 1024) + 1);
  }

  MemoryBudget& budget_;
  Reservation reservation_;
  // In this order: rows end before their connection.
  std::unique_ptr<DatabaseConnection> connection_;
  std::unique_ptr<DatabaseRows> rows_;
  PriceColumnIndices columns_;
  int64_t next_row_ = 0;
};

}  // namespace

Result<std::unique_ptr<PriceSource>> open_database_price_source(const std::string& source,
                                                                const PriceColumnNames& columns,
                                                                std::optional<Day> since,
                                                                const bigquery::Options& bigquery,
                                                                MemoryBudget& budget) {
  std::unique_ptr<DatabaseConnection> connection;
  Selection selection;
  if (bigquery::is_address(source)) {
    TW_ASSIGN(const auto address, bigquery::Address::parse(source));
    selection = {address.reads_a_table() ? address.table.sql() : "", address.query, '`'};
    TW_ASSIGN(connection, bigquery::open(address, bigquery, budget));
  } else {
    TW_ASSIGN(const auto address, DatabaseAddress::parse(source));
    selection = {address.table, address.query, address.quote()};
    TW_ASSIGN(connection, DatabaseConnection::open(address.options));
  }
  auto result =
      std::make_unique<DatabasePriceSource>(database_name(source), std::move(connection), budget);
  TW_TRY(result->start(selection, columns, since));
  return result;
}

}  // namespace tapeworks
