#include "cli/coverage_table.h"

#include <optional>
#include <string_view>

#include <arrow/builder.h>
#include <arrow/table.h>
#include <arrow/table_builder.h>

#include "storage/arrow_status_internal.h"

namespace tapeworks {

using recorder::CoverageRow;
using recorder::CoverageStatus;

namespace {

constexpr const char* kWhere = "coverage table";

std::shared_ptr<arrow::Schema> coverage_schema() {
  return arrow::schema(
      {arrow::field("status", arrow::utf8()), arrow::field("path", arrow::utf8()),
       arrow::field("exchange", arrow::utf8()), arrow::field("market", arrow::utf8()),
       arrow::field("symbol", arrow::utf8()), arrow::field("stream", arrow::utf8()),
       arrow::field("transport", arrow::utf8()), arrow::field("class", arrow::utf8()),
       arrow::field("rows", arrow::int64()), arrow::field("first_sequence", arrow::int64()),
       arrow::field("last_sequence", arrow::int64()), arrow::field("gaps", arrow::int64()),
       arrow::field("missing", arrow::int64()), arrow::field("log", arrow::utf8()),
       arrow::field("detail", arrow::utf8())});
}

/// Appends values to the columns of one row, from left to right. An empty text is null.
class RowAppender {
 public:
  explicit RowAppender(arrow::RecordBatchBuilder& columns) : columns_(columns) {}

  void add(std::string_view text) {
    auto& column = *columns_.GetFieldAs<arrow::StringBuilder>(next_++);
    keep(text.empty() ? column.AppendNull() : column.Append(text));
  }
  template <typename Number>
  void add(const std::optional<Number>& number) {
    auto& column = *columns_.GetFieldAs<arrow::Int64Builder>(next_++);
    keep(number ? column.Append(static_cast<int64_t>(*number)) : column.AppendNull());
  }
  Status status() const { return from_arrow(status_, kWhere); }

 private:
  void keep(const arrow::Status& status) {
    if (status_.ok()) status_ = status;
  }

  arrow::RecordBatchBuilder& columns_;
  int next_ = 0;
  arrow::Status status_;
};

}  // namespace

CoverageTable::CoverageTable(std::unique_ptr<arrow::RecordBatchBuilder> columns)
    : columns_(std::move(columns)) {}
CoverageTable::CoverageTable(CoverageTable&&) noexcept = default;
CoverageTable::~CoverageTable() = default;

Result<CoverageTable> CoverageTable::make(arrow::MemoryPool* pool) {
  TW_ASSIGN(auto columns,
            from_arrow(arrow::RecordBatchBuilder::Make(coverage_schema(), pool), kWhere));
  return CoverageTable(std::move(columns));
}

Status CoverageTable::add(const CoverageRow& row) {
  const bool is_failed = row.status == CoverageStatus::kFailed;
  if (row_count_ >= (is_failed ? kRowsMax : kRowsMax - kFailedRowsKept)) {
    ++left_out_count_;
    return {};
  }
  ++row_count_;
  RowAppender out(*columns_);
  for (const std::string_view text :
       {name_of(row.status), std::string_view(row.path), std::string_view(row.exchange),
        std::string_view(row.market), std::string_view(row.symbol), std::string_view(row.stream),
        std::string_view(row.transport), std::string_view(row.sequence_class)}) {
    out.add(text);
  }
  out.add(row.row_count);
  out.add(row.first_sequence);
  out.add(row.last_sequence);
  out.add(std::optional(row.gap_count));
  out.add(std::optional(row.missing_count));
  out.add(std::string_view(row.is_as_in_log ? "same" : ""));
  out.add(std::string_view(row.detail));
  return out.status();
}

Result<std::shared_ptr<arrow::Table>> CoverageTable::finish() {
  TW_ASSIGN(const auto batch, from_arrow(columns_->Flush(), kWhere));
  return from_arrow(arrow::Table::FromRecordBatches({batch}), kWhere);
}

}  // namespace tapeworks
