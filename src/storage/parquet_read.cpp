#include "storage/parquet_read.h"

#include <algorithm>
#include <type_traits>

#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/reader.h>
#include <parquet/file_reader.h>
#include <parquet/properties.h>

#include "storage/arrow_status_internal.h"
#include "storage/input_file.h"

namespace tapeworks {
namespace {

using FileReader = parquet::arrow::FileReader;

/// Throws what Parquet throws.
Result<std::unique_ptr<FileReader>> open_reader(const std::filesystem::path& path,
                                                arrow::MemoryPool* pool) {
  const std::string where = path.string();
  TW_ASSIGN(const auto opened, open_arrow_file(path, pool));
  parquet::ReaderProperties properties(pool);
  properties.enable_buffered_stream();
  parquet::arrow::FileReaderBuilder builder;
  TW_TRY(from_arrow(builder.Open(opened, properties), where));
  // Reading ahead would leave buffers to Arrow's threads, which may free them when the pool is
  // gone.
  auto arrow_properties = parquet::default_arrow_reader_properties();
  arrow_properties.set_pre_buffer(false);
  std::unique_ptr<FileReader> reader;
  TW_TRY(
      from_arrow(builder.memory_pool(pool)->properties(arrow_properties)->Build(&reader), where));
  return reader;
}

/// Opens the file and gives its reader to `body`, whose Result is returned.
template <typename Body>
auto with_reader(const std::filesystem::path& path, arrow::MemoryPool* pool, Body&& body)
    -> std::invoke_result_t<Body, FileReader&> {
  using Answer = std::invoke_result_t<Body, FileReader&>;
  return catch_parquet(path.string(), [&]() -> Answer {
    TW_ASSIGN(const auto reader, open_reader(path, pool));
    return body(*reader);
  });
}

Result<std::vector<int>> column_indices(FileReader& reader, const std::vector<std::string>& columns,
                                        const std::string& where) {
  std::vector<int> indices;
  const auto* schema = reader.parquet_reader()->metadata()->schema();
  for (const std::string& column : columns) {
    const int index = schema->ColumnIndex(column);
    if (index < 0) return corrupt("{}: column '{}' is missing", where, column);
    indices.push_back(index);
  }
  return indices;
}

}  // namespace

Result<std::shared_ptr<arrow::Table>> read_parquet(const std::filesystem::path& path,
                                                   const std::vector<std::string>& columns,
                                                   arrow::MemoryPool* pool) {
  const std::string where = path.string();
  return with_reader(path, pool, [&](FileReader& reader) -> Result<std::shared_ptr<arrow::Table>> {
    TW_ASSIGN(const std::vector<int> indices, column_indices(reader, columns, where));
    if (columns.empty()) return from_arrow(reader.ReadTable(), where);
    return from_arrow(reader.ReadTable(indices), where);
  });
}

Result<std::shared_ptr<arrow::Table>> read_parquet_row_group(
    const std::filesystem::path& path, int row_group, const std::vector<std::string>& columns,
    arrow::MemoryPool* pool) {
  const std::string where = fmt::format("{}: row group {}", path.string(), row_group);
  return with_reader(path, pool, [&](FileReader& reader) -> Result<std::shared_ptr<arrow::Table>> {
    TW_ASSIGN(const std::vector<int> indices, column_indices(reader, columns, where));
    if (columns.empty()) return from_arrow(reader.ReadRowGroup(row_group), where);
    return from_arrow(reader.ReadRowGroup(row_group, indices), where);
  });
}

Result<ParquetInfo> read_parquet_info(const std::filesystem::path& path, arrow::MemoryPool* pool) {
  const std::string where = path.string();
  return with_reader(path, pool, [&](FileReader& reader) -> Result<ParquetInfo> {
    ParquetInfo info;
    TW_TRY(from_arrow(reader.GetSchema(&info.schema), where));
    const auto metadata = reader.parquet_reader()->metadata();
    for (int i = 0; i < metadata->num_row_groups(); ++i) {
      const int64_t rows = metadata->RowGroup(i)->num_rows();
      if (rows < 0) return corrupt("{}: row group {} claims a negative number of rows", where, i);
      info.row_group_rows.push_back(rows);
      info.row_count += rows;
    }
    if (const auto pairs = metadata->key_value_metadata()) {
      for (int64_t i = 0; i < pairs->size(); ++i) info.metadata[pairs->key(i)] = pairs->value(i);
    }
    return info;
  });
}

struct ParquetBatches::State {
  static constexpr int64_t kBatchesPerRowGroup = 8;
  static constexpr int64_t kBatchRowsMax = 8192;

  Status open_row_group();

  std::string where;
  std::unique_ptr<FileReader> file;
  int next_row_group = 0;
  std::unique_ptr<arrow::RecordBatchReader> batches;  // of `file`, of the row group before
};

Status ParquetBatches::State::open_row_group() {
  const auto footer = file->parquet_reader()->metadata()->RowGroup(next_row_group);
  const int64_t rows = std::max<int64_t>(footer->num_rows(), 1);
  const int64_t eighth = (rows + kBatchesPerRowGroup - 1) / kBatchesPerRowGroup;
  file->set_batch_size(std::min(eighth, kBatchRowsMax));
  TW_ASSIGN(batches, from_arrow(file->GetRecordBatchReader({next_row_group++}), where));
  return {};
}

ParquetBatches::ParquetBatches(std::unique_ptr<State> state) : state_(std::move(state)) {}
ParquetBatches::ParquetBatches(ParquetBatches&&) noexcept = default;
ParquetBatches& ParquetBatches::operator=(ParquetBatches&&) noexcept = default;
ParquetBatches::~ParquetBatches() = default;

Result<ParquetBatches> ParquetBatches::open(const std::filesystem::path& path,
                                            arrow::MemoryPool* pool) {
  auto state = std::make_unique<State>();
  state->where = path.string();
  return catch_parquet(state->where, [&]() -> Result<ParquetBatches> {
    TW_ASSIGN(state->file, open_reader(path, pool));
    return ParquetBatches(std::move(state));
  });
}

Result<std::shared_ptr<arrow::Table>> ParquetBatches::next() {
  State& state = *state_;
  return catch_parquet(state.where, [&]() -> Result<std::shared_ptr<arrow::Table>> {
    while (true) {
      std::shared_ptr<arrow::RecordBatch> batch;
      if (state.batches) TW_TRY(from_arrow(state.batches->ReadNext(&batch), state.where));
      if (batch != nullptr) {
        return from_arrow(arrow::Table::FromRecordBatches(batch->schema(), {batch}), state.where);
      }
      if (state.next_row_group == state.file->num_row_groups()) return nullptr;
      TW_TRY(state.open_row_group());
    }
  });
}

}  // namespace tapeworks
