#include "storage/parquet_input.h"

#include <algorithm>
#include <utility>

#include <arrow/io/interfaces.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/schema.h>

#include "base/units.h"
#include "storage/arrow_status_internal.h"
#include "storage/object_address.h"

namespace tapeworks {
namespace {

constexpr int64_t kReadBufferBytes = 256 * 1024;
/// Decompression and copies round sizes up.
constexpr int64_t kAllocationSlackBytes = 64 * 1024;

/// The budget's pool, but no single allocation may be larger than the chunks being read allow, so
/// that a page header that lies is refused before anything is allocated.
class ChunkPool final : public arrow::MemoryPool {
 public:
  ChunkPool(arrow::MemoryPool* parent, int64_t allocation_bytes_max)
      : parent_(parent), allocation_bytes_max_(allocation_bytes_max) {}

  arrow::Status Allocate(int64_t size, int64_t alignment, uint8_t** out) override {
    ARROW_RETURN_NOT_OK(check(size));
    return parent_->Allocate(size, alignment, out);
  }
  arrow::Status Reallocate(int64_t old_size, int64_t new_size, int64_t alignment,
                           uint8_t** ptr) override {
    ARROW_RETURN_NOT_OK(check(new_size));
    return parent_->Reallocate(old_size, new_size, alignment, ptr);
  }
  void Free(uint8_t* buffer, int64_t size, int64_t alignment) override {
    parent_->Free(buffer, size, alignment);
  }
  int64_t bytes_allocated() const override { return parent_->bytes_allocated(); }
  int64_t total_bytes_allocated() const override { return parent_->total_bytes_allocated(); }
  int64_t num_allocations() const override { return parent_->num_allocations(); }
  std::string backend_name() const override { return parent_->backend_name(); }

 private:
  arrow::Status check(int64_t size) const {
    if (size <= allocation_bytes_max_) return arrow::Status::OK();
    return arrow::Status::Invalid(
        "a page claims ", size,
        " bytes, more than its whole column chunk has; the file is damaged");
  }

  arrow::MemoryPool* parent_;
  int64_t allocation_bytes_max_;
};

void announce(InputFile& file, const parquet::ColumnChunkMetaData& chunk, MemoryBudget* budget) {
  file.announce(first_page_offset(chunk), chunk.total_compressed_size(), budget);
}

}  // namespace

Error explain_page_budget(Error error, const MemoryBudget& budget, uint64_t row_group_bytes) {
  if (error.kind != ErrorKind::kMemoryBudget) return error;
  // A page of each column, and one of them as it is stored and as its values.
  const uint64_t limit = budget.resident_limit_bytes();
  const uint64_t enough = std::max(2 * limit, limit + 3 * row_group_bytes) / kMiB + 1;
  return Error{ErrorKind::kCorrupt,
               fmt::format("{}; a page is too large for it, try --memory {}MiB or more",
                           error.message, enough)};
}

Result<ParquetInput> ParquetInput::open(const std::filesystem::path& path, MemoryBudget& budget) {
  TW_ASSIGN(ParquetInput input, open(path, budget.pool()));
  input.budget_ = &budget;
  return input;
}

Result<ParquetInput> ParquetInput::open(const std::filesystem::path& path,
                                        arrow::MemoryPool* pool) {
  TW_ASSIGN(auto file, open_arrow_file(path, pool));
  InputFile source;
  // Of thousands of files on the disk none stays open; an object is found once.
  if (is_object_address(path.native())) {
    TW_ASSIGN(source, InputFile::open(path));
  }
  return catch_parquet(path.string(), [&]() -> Result<ParquetInput> {
    ParquetInput input;
    input.path_ = path;
    input.source_ = std::move(source);
    input.pool_ = pool;
    const auto reader = parquet::ParquetFileReader::Open(file, parquet::ReaderProperties(pool));
    input.metadata_ = reader->metadata();
    for (int i = 0; i < input.row_group_count(); ++i) {
      if (input.row_group_rows(i) < 0) {
        return corrupt("{}: row group {} claims a negative number of rows", path.string(), i);
      }
    }
    return input;
  });
}

int ParquetInput::row_group_count() const { return metadata_->num_row_groups(); }

int64_t ParquetInput::row_group_rows(int row_group) const {
  return metadata_->RowGroup(row_group)->num_rows();
}

int64_t ParquetInput::row_count() const {
  int64_t rows = 0;
  for (int i = 0; i < row_group_count(); ++i) rows += row_group_rows(i);
  return rows;
}

int ParquetInput::column_count() const { return metadata_->num_columns(); }

bool ParquetInput::has_column(const std::string& name) const {
  return metadata_->schema()->group_node()->FieldIndex(name) >= 0;
}

Result<int> ParquetInput::find_column(const std::string& name) const {
  const auto* schema = metadata_->schema();
  const int field = schema->group_node()->FieldIndex(name);
  if (field < 0) {
    std::string names;
    for (int i = 0; i < schema->group_node()->field_count(); ++i) {
      names += (i == 0 ? "" : ", ") + schema->group_node()->field(i)->name();
    }
    return corrupt("{}: there is no column '{}'; its columns are {}", path_.string(), name, names);
  }
  const auto& node = schema->group_node()->field(field);
  if (node->is_group() || node->is_repeated()) {
    return corrupt("{}: column '{}' is nested, plain values are needed", path_.string(), name);
  }
  return schema->ColumnIndex(*node);
}

const parquet::ColumnDescriptor& ParquetInput::column(int index) const {
  return *metadata_->schema()->Column(index);
}

RowGroupInput::RowGroupInput(const ParquetInput& file, int row_group)
    : file_(file), row_group_(row_group) {}

RowGroupInput::~RowGroupInput() = default;

int64_t RowGroupInput::row_count() const { return file_.row_group_rows(row_group_); }

Result<std::unique_ptr<RowGroupInput>> RowGroupInput::open(const ParquetInput& file, int row_group,
                                                           std::span<const int> columns) {
  const std::string where = fmt::format("{}: row group {}", file.path().string(), row_group);
  TW_ASSIGN(InputFile source, file.bytes());
  return catch_parquet(where, [&]() -> Result<std::unique_ptr<RowGroupInput>> {
    std::unique_ptr<RowGroupInput> input(new RowGroupInput(file, row_group));
    input->source_ = std::move(source);
    const auto metadata = file.metadata().RowGroup(row_group);
    int64_t chunk_bytes_max = kReadBufferBytes;
    for (const int column : columns) {
      const auto chunk = metadata->ColumnChunk(column);
      chunk_bytes_max = std::max(
          {chunk_bytes_max, chunk->total_compressed_size(), chunk->total_uncompressed_size()});
      announce(input->source_, *chunk, file.budget_);
    }
    input->pool_ = std::make_unique<ChunkPool>(
        file.pool_,
        std::min(chunk_bytes_max, INT64_MAX - kAllocationSlackBytes) + kAllocationSlackBytes);
    return input;
  });
}

}  // namespace tapeworks
