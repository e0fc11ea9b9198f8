#include "recorder/sink/row_buffer.h"

#include <bit>
#include <cstring>
#include <string_view>
#include <utility>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/table.h>

namespace tapeworks::recorder {
namespace {

static_assert(std::endian::native == std::endian::little, "packed rows are little-endian");

/// Takes packed values one after the other.
class PackedReader {
 public:
  explicit PackedReader(const ChunkPool::Chunk& chunk)
      : at_(chunk.bytes), end_(chunk.bytes + chunk.used_bytes) {}

  bool at_end() const { return at_ == end_; }

  template <typename Value>
  Value take() {
    Value value;
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::string_view take_text() {
    const auto size = take<uint32_t>();
    const std::string_view text(reinterpret_cast<const char*>(at_), size);
    at_ += size;
    return text;
  }

 private:
  const std::byte* at_;
  const std::byte* end_;
};

/// The builder has room for all rows, texts aside.
arrow::Status append_value(ColumnType type, PackedReader& row, arrow::ArrayBuilder& builder) {
  const auto append = [&]<typename Builder>(Builder& numbers) {
    numbers.UnsafeAppend(row.take<typename Builder::value_type>());
    return arrow::Status::OK();
  };
  switch (type) {
    case ColumnType::kUint64:
      return append(static_cast<arrow::UInt64Builder&>(builder));
    case ColumnType::kInt64:
      return append(static_cast<arrow::Int64Builder&>(builder));
    case ColumnType::kInt32:
      return append(static_cast<arrow::Int32Builder&>(builder));
    case ColumnType::kUint32:
      return append(static_cast<arrow::UInt32Builder&>(builder));
    case ColumnType::kTime:
      return append(static_cast<arrow::TimestampBuilder&>(builder));
    case ColumnType::kFloat64:
      return append(static_cast<arrow::DoubleBuilder&>(builder));
    case ColumnType::kText:
    case ColumnType::kBytes:
      return static_cast<arrow::BinaryBuilder&>(builder).Append(row.take_text());
  }
  return arrow::Status::NotImplemented("column type");
}

arrow::Result<std::shared_ptr<arrow::Table>> build_table(TableKind table,
                                                         std::span<const ChunkPool::Chunk> chunks,
                                                         size_t row_count,
                                                         arrow::MemoryPool* memory) {
  const auto columns = columns_of(table);
  const auto& schema = arrow_schema_of(table);
  std::vector<std::unique_ptr<arrow::ArrayBuilder>> builders(columns.size());
  for (size_t i = 0; i < columns.size(); ++i) {
    ARROW_RETURN_NOT_OK(
        arrow::MakeBuilder(memory, schema->field(static_cast<int>(i))->type(), &builders[i]));
    ARROW_RETURN_NOT_OK(builders[i]->Reserve(static_cast<int64_t>(row_count)));
  }
  // Most columns are null in most rows: nulls are appended in runs, before the next value.
  const auto fill_up = [&](size_t column, int64_t row) {
    const int64_t nulls = row - builders[column]->length();
    if (nulls == 0) return arrow::Status::OK();
    // An encoder would write neither the nulls nor that they are there.
    if (!columns[column].nullable) {
      return arrow::Status::Invalid("no value for the column ", columns[column].name);
    }
    return builders[column]->AppendNulls(nulls);
  };
  int64_t row_index = 0;
  for (const ChunkPool::Chunk& chunk : chunks) {
    for (PackedReader row(chunk); !row.at_end(); ++row_index) {
      if (row_index == static_cast<int64_t>(row_count)) {
        return arrow::Status::Invalid("more rows than were counted");
      }
      for (auto present = row.take<uint64_t>(); present != 0; present &= present - 1) {
        const auto column = static_cast<size_t>(std::countr_zero(present));
        if (column >= columns.size()) return arrow::Status::Invalid("more values than columns");
        ARROW_RETURN_NOT_OK(fill_up(column, row_index));
        ARROW_RETURN_NOT_OK(append_value(columns[column].type, row, *builders[column]));
      }
    }
  }
  arrow::ArrayVector arrays;
  for (size_t column = 0; column < builders.size(); ++column) {
    ARROW_RETURN_NOT_OK(fill_up(column, row_index));
    ARROW_ASSIGN_OR_RAISE(auto array, builders[column]->Finish());
    arrays.push_back(std::move(array));
  }
  return arrow::Table::Make(schema, arrays, static_cast<int64_t>(row_count));
}

}  // namespace

RowBuffer::RowBuffer(RowBuffer&& other) noexcept
    : table_(other.table_),
      pool_(other.pool_),
      chunks_(std::exchange(other.chunks_, {})),
      row_count_(std::exchange(other.row_count_, 0)),
      byte_count_(std::exchange(other.byte_count_, 0)),
      first_lsn_(other.first_lsn_),
      last_lsn_(other.last_lsn_),
      first_time_ns_(other.first_time_ns_),
      last_time_ns_(other.last_time_ns_) {}

void RowBuffer::append(std::span<const std::byte> row, uint64_t lsn, int64_t log_time_ns) {
  if (chunks_.empty() || chunks_.back().capacity_bytes - chunks_.back().used_bytes < row.size()) {
    chunks_.push_back(pool_->take(row.size()));
    byte_count_ += chunks_.back().capacity_bytes;
  }
  ChunkPool::Chunk& chunk = chunks_.back();
  std::memcpy(chunk.bytes + chunk.used_bytes, row.data(), row.size());
  chunk.used_bytes += row.size();
  if (row_count_++ == 0) {
    first_lsn_ = lsn;
    first_time_ns_ = log_time_ns;
  }
  last_lsn_ = lsn;
  last_time_ns_ = log_time_ns;
}

void RowBuffer::clear() {
  for (const ChunkPool::Chunk& chunk : chunks_) pool_->give_back(chunk);
  chunks_.clear();
  row_count_ = 0;
  byte_count_ = 0;
}

Result<std::shared_ptr<arrow::Table>> RowBuffer::to_table(arrow::MemoryPool* memory) const {
  auto table = build_table(table_, chunks_, row_count_, memory);
  if (table.ok()) return std::move(table).ValueUnsafe();
  const auto kind =
      table.status().IsOutOfMemory() ? ErrorKind::kMemoryBudget : ErrorKind::kInternal;
  return fail(kind, "putting {} recorded rows into columns: {}", row_count_,
              table.status().message());
}

}  // namespace tapeworks::recorder
