#include "pipeline/price_source.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/csv/options.h>
#include <arrow/csv/reader.h>
#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include "pipeline/database_address.h"
#include "pipeline/database_price_source.h"
#include "storage/arrow_status_internal.h"
#include "storage/input_file.h"
#include "storage/object_store.h"
#include "storage/parquet_input.h"
#include "storage/parquet_read.h"

namespace tapeworks {
namespace {

constexpr int64_t kPartRowsMax = 64 * 1024;
constexpr int64_t kSniffBytes = 64 * 1024;
constexpr int32_t kCsvBlockBytes = 1024 * 1024;
/// The blocks that Arrow reads ahead, and their rows.
constexpr uint64_t kCsvReaderBytes = 16 * kCsvBlockBytes;
constexpr std::string_view kParquetMagic = "PAR1";

class ParquetPriceSource final : public PriceSource {
 public:
  ParquetPriceSource(const std::filesystem::path& path, ParquetInfo info,
                     std::vector<std::string> columns, MemoryBudget& budget)
      : PriceSource(path.string()),
        path_(path),
        info_(std::move(info)),
        columns_(std::move(columns)),
        budget_(budget) {}

  static Result<std::unique_ptr<PriceSource>> open(const std::filesystem::path& path,
                                                   const PriceColumnNames& wanted,
                                                   MemoryBudget& budget) {
    const std::string where = path.string();
    TW_ASSIGN(ParquetInfo info, read_parquet_info(path, budget.pool()));
    TW_ASSIGN(const PriceColumnIndices found,
              find_price_columns(info.schema->field_names(), wanted, where));
    TW_TRY(check_price_types(*info.schema, found, where));
    std::vector<std::string> columns;
    for (const int index : {found.symbol, found.date, found.close}) {
      columns.push_back(info.schema->field(index)->name());
    }
    return std::make_unique<ParquetPriceSource>(path, std::move(info), std::move(columns), budget);
  }

  Result<std::optional<Part>> next() override {
    while (true) {
      if (part_reader_ == nullptr) {
        if (row_group_ == info_.row_group_rows.size()) return std::nullopt;
        TW_TRY(open_row_group());
      }
      std::shared_ptr<arrow::RecordBatch> batch;
      TW_TRY(from_arrow(part_reader_->ReadNext(&batch), name()));
      if (batch != nullptr) {
        Part part{next_row_, batch->column(0), batch->column(1), batch->column(2)};
        next_row_ += batch->num_rows();
        return part;
      }
      part_reader_.reset();
      table_.reset();
      ++row_group_;
    }
  }

  std::string place(int64_t row) const override {
    size_t row_group = 0;
    while (row_group + 1 < info_.row_group_rows.size() && row >= info_.row_group_rows[row_group]) {
      row -= info_.row_group_rows[row_group++];
    }
    return fmt::format("row group {}, row {}", row_group, row);
  }

  int64_t expected_row_count() const override { return info_.row_count; }

 private:
  Status open_row_group() {
    auto table =
        read_parquet_row_group(path_, static_cast<int>(row_group_), columns_, budget_.pool());
    if (!table) return std::unexpected(explain_page_budget(std::move(table).error(), budget_));
    table_ = *std::move(table);
    if (table_->num_rows() != info_.row_group_rows[row_group_]) {
      return corrupt("{}: row group {} has {} rows, but its header says {}", name(), row_group_,
                     table_->num_rows(), info_.row_group_rows[row_group_]);
    }
    part_reader_ = std::make_unique<arrow::TableBatchReader>(*table_);
    part_reader_->set_chunksize(kPartRowsMax);
    return {};
  }

  std::filesystem::path path_;
  ParquetInfo info_;
  std::vector<std::string> columns_;
  MemoryBudget& budget_;
  size_t row_group_ = 0;
  int64_t next_row_ = 0;
  std::shared_ptr<arrow::Table> table_;  // what part_reader_ walks over
  std::unique_ptr<arrow::TableBatchReader> part_reader_;
};

/// Arrow reads CSV on threads of its own, which may free a buffer later than its reader: so the
/// memory is of Arrow's pool, which is always there, and as much of the budget is set aside.
class CsvPriceSource final : public PriceSource {
 public:
  CsvPriceSource(std::string name, std::shared_ptr<arrow::csv::StreamingReader> reader,
                 PriceColumnIndices columns, int64_t file_bytes, Reservation reservation)
      : PriceSource(std::move(name)),
        file_bytes_(file_bytes),
        reservation_(std::move(reservation)),
        reader_(std::move(reader)),
        columns_(columns) {}

  static Result<std::unique_ptr<PriceSource>> open(const std::string& where, char delimiter,
                                                   const PriceColumnNames& wanted,
                                                   MemoryBudget& budget) {
    Reservation reservation;
    if (!budget.try_reserve(kCsvReaderBytes, reservation)) {
      return over_budget("{}: no memory is left to read it; give a larger --memory", where);
    }
    TW_ASSIGN(const auto file, open_arrow_file(where, arrow::default_memory_pool()));
    auto read_options = arrow::csv::ReadOptions::Defaults();
    read_options.use_threads = false;
    read_options.block_size = kCsvBlockBytes;
    auto parse_options = arrow::csv::ParseOptions::Defaults();
    parse_options.delimiter = delimiter;
    parse_options.newlines_in_values = true;
    auto convert_options = arrow::csv::ConvertOptions::Defaults();
    convert_options.default_column_type = arrow::binary();
    TW_ASSIGN(auto reader, from_arrow(arrow::csv::StreamingReader::Make(
                                          arrow::io::default_io_context(), file, read_options,
                                          parse_options, convert_options),
                                      where));
    TW_ASSIGN(const PriceColumnIndices found,
              find_price_columns(reader->schema()->field_names(), wanted, where));
    TW_ASSIGN(const int64_t file_bytes, from_arrow(file->GetSize(), where));
    return std::make_unique<CsvPriceSource>(where, std::move(reader), found, file_bytes,
                                            std::move(reservation));
  }

  Result<std::optional<Part>> next() override {
    std::shared_ptr<arrow::RecordBatch> batch;
    TW_TRY(from_arrow(reader_->ReadNext(&batch), name()));
    if (batch == nullptr) return std::nullopt;
    Part part{next_row_, batch->column(columns_.symbol), batch->column(columns_.date),
              batch->column(columns_.close)};
    next_row_ += batch->num_rows();
    return part;
  }

  std::string place(int64_t row) const override { return fmt::format("row {}", row + 2); }
  int64_t expected_row_count() const override {
    constexpr double kMargin = 1.02;
    const int64_t bytes_read = reader_->bytes_read();
    if (bytes_read == 0 || next_row_ == 0) return 0;
    const double bytes_per_row = static_cast<double>(bytes_read) / static_cast<double>(next_row_);
    return static_cast<int64_t>(static_cast<double>(file_bytes_) / bytes_per_row * kMargin);
  }

 private:
  int64_t file_bytes_;
  Reservation reservation_;
  std::shared_ptr<arrow::csv::StreamingReader> reader_;
  PriceColumnIndices columns_;
  int64_t next_row_ = 0;
};

/// Tabs where the first line has them and no comma.
char delimiter_of(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  const bool tabs = line.find('\t') != std::string_view::npos;
  return tabs && line.find(',') == std::string_view::npos ? '\t' : ',';
}

}  // namespace

Status check_price_source(const std::string& source) {
  if (is_database_address(source)) {
    const auto is_table = names_a_table(source);
    if (!is_table) return std::unexpected(is_table.error());
    return {};
  }
  if (is_object_address(source)) {
    const auto address = use_object_address(source);
    if (!address) return std::unexpected(address.error());
    return {};
  }
  std::error_code error;
  const auto status = std::filesystem::status(source, error);
  if (!std::filesystem::exists(status)) {
    return invalid_argument("source {} does not exist; check the path", source);
  }
  if (!std::filesystem::is_regular_file(status)) {
    return invalid_argument("source {} is no file; name one Parquet or CSV file", source);
  }
  return {};
}

std::string price_source_name(const std::string& source) {
  if (is_database_address(source)) return database_name(source);
  if (!is_object_address(source)) return source;
  const auto address = ObjectAddress::parse(source);
  return address ? address->text() : "an address that cannot be read";
}

Result<std::unique_ptr<PriceSource>> PriceSource::open(const std::string& source,
                                                       const PriceColumnNames& columns,
                                                       std::optional<Day> since,
                                                       const bigquery::Options& bigquery,
                                                       MemoryBudget& budget) {
  if (is_database_address(source)) {
    return open_database_price_source(source, columns, since, bigquery, budget);
  }
  return open_file(price_source_name(source), columns, budget);
}

Result<std::unique_ptr<PriceSource>> PriceSource::open_file(const std::string& where,
                                                            const PriceColumnNames& columns,
                                                            MemoryBudget& budget) {
  const std::filesystem::path path = where;
  TW_TRY(check_price_source(where));
  TW_ASSIGN(const InputStatus status, status_of_input(path));
  if (status.type != InputType::kFile) {
    return invalid_argument("source {} does not exist or is no file; name one Parquet or CSV file",
                            where);
  }
  TW_ASSIGN(const auto opened, open_arrow_file(path, budget.pool()));
  TW_ASSIGN(const auto begin, from_arrow(opened->ReadAt(0, kSniffBytes), where));
  const std::string_view text(*begin);
  if (text.empty()) return corrupt("{}: the file is empty", where);
  if (text.starts_with(kParquetMagic) || path.extension() == ".parquet") {
    return ParquetPriceSource::open(path, columns, budget);
  }
  if (text.find('\0') != std::string_view::npos) {
    return corrupt("{}: neither a Parquet file nor CSV text in UTF-8; convert it first", where);
  }
  return CsvPriceSource::open(where, delimiter_of(text), columns, budget);
}

}  // namespace tapeworks
