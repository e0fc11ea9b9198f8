#include "storage/parquet_write.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/table.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/file_writer.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>

#include "base/thread_tasks.h"
#include "storage/arrow_status_internal.h"
#include "storage/chunk_encoder.h"
#include "storage/parquet_layout_internal.h"

namespace tapeworks {
namespace {

constexpr std::string_view kWhere = "encoding Parquet";

}  // namespace

struct ParquetEncoder::State {
  explicit State(arrow::MemoryPool* memory_pool) : pool(memory_pool), file(memory_pool) {}

  struct EncodedChunk {
    explicit EncodedChunk(arrow::MemoryPool* memory_pool) : bytes(memory_pool) {}
    GrowingBuffer bytes;
    ChunkInfo info;
  };
  struct EncodedRowGroup {
    int64_t row_count = 0;
    std::vector<EncodedChunk> chunks;
  };

  arrow::Result<const PreparedSchema*> prepared(const std::shared_ptr<arrow::Schema>& schema,
                                                bool store_dictionary_types);
  Status encode(const std::shared_ptr<arrow::Schema>& arrow_schema, size_t row_group_count,
                const RowGroupSource& source, const ParquetWriteOptions& options);
  /// Row groups one after the other, straight into the file.
  Status append_row_group(const arrow::Table& rows, const PreparedSchema& schema, size_t ordinal,
                          parquet::FileMetaDataBuilder& metadata);
  /// Row groups side by side, and into the file when all are there.
  Status encode_in_threads(size_t row_group_count, const RowGroupSource& source,
                           const PreparedSchema& schema, size_t thread_count,
                           parquet::FileMetaDataBuilder& metadata);
  Result<EncodedRowGroup> encode_row_group(const arrow::Table& rows, const PreparedSchema& schema,
                                           ChunkEncoder& encoder) const;
  Result<ChunkInfo> encode_column(const arrow::Table& rows, int column,
                                  const PreparedSchema& schema, ChunkEncoder& encoder,
                                  GrowingBuffer& out) const;

  arrow::MemoryPool* pool;
  GrowingBuffer file;
  std::vector<std::unique_ptr<ChunkEncoder>> encoders;  // one a thread
  std::vector<std::unique_ptr<PreparedSchema>> schemas;
};

arrow::Result<const PreparedSchema*> ParquetEncoder::State::prepared(
    const std::shared_ptr<arrow::Schema>& schema, bool store_dictionary_types) {
  for (const auto& known : schemas) {
    if (known->arrow_schema == schema && known->store_dictionary_types == store_dictionary_types) {
      return known.get();
    }
  }
  // Tables that do not share their schema must not fill the memory with them.
  constexpr size_t kSchemasMax = 16;
  if (schemas.size() == kSchemasMax) schemas.erase(schemas.begin());
  ARROW_ASSIGN_OR_RAISE(PreparedSchema made, prepare_schema(schema, store_dictionary_types, pool));
  schemas.push_back(std::make_unique<PreparedSchema>(std::move(made)));
  return schemas.back().get();
}

Status ParquetEncoder::State::encode(const std::shared_ptr<arrow::Schema>& arrow_schema,
                                     size_t row_group_count, const RowGroupSource& source,
                                     const ParquetWriteOptions& options) {
  TW_ASSIGN(const PreparedSchema* const schema,
            from_arrow(prepared(arrow_schema, options.store_dictionary_types), kWhere));
  while (encoders.size() < std::max<size_t>(options.thread_count, 1)) {
    encoders.push_back(std::make_unique<ChunkEncoder>(pool));
  }
  file.clear();
  TW_TRY(from_arrow(file.append(kParquetMagic.data(), kParquetMagic.size()), kWhere));
  const auto metadata =
      parquet::FileMetaDataBuilder::Make(schema->parquet_schema.get(), schema->properties);
  if (options.thread_count > 1 && row_group_count > 1) {
    TW_TRY(encode_in_threads(row_group_count, source, *schema, options.thread_count, *metadata));
  } else {
    for (size_t ordinal = 0; ordinal < row_group_count; ++ordinal) {
      TW_ASSIGN(const auto rows, source(ordinal));
      TW_TRY(append_row_group(*rows, *schema, ordinal, *metadata));
    }
  }
  const auto key_values = std::make_shared<arrow::KeyValueMetadata>();
  key_values->Append("ARROW:schema", schema->stored_schema);
  for (const auto& [key, value] : options.metadata) key_values->Append(key, value);
  FooterSink sink(file);
  parquet::WriteFileMetaData(*metadata->Finish(key_values), &sink);
  return {};
}

Result<ChunkInfo> ParquetEncoder::State::encode_column(const arrow::Table& rows, int column,
                                                       const PreparedSchema& schema,
                                                       ChunkEncoder& encoder,
                                                       GrowingBuffer& out) const {
  TW_ASSIGN(const auto array, from_arrow(whole_column(rows, column, pool), kWhere));
  return from_arrow(encoder.encode(*array, *schema.parquet_schema->Column(column), out), kWhere);
}

Status ParquetEncoder::State::append_row_group(const arrow::Table& rows,
                                               const PreparedSchema& schema, size_t ordinal,
                                               parquet::FileMetaDataBuilder& metadata) {
  auto* const row_group = metadata.AppendRowGroup();
  row_group->set_num_rows(rows.num_rows());
  int64_t uncompressed_bytes = 0;
  for (int column = 0; column < rows.num_columns(); ++column) {
    const auto offset = static_cast<int64_t>(file.size());
    TW_ASSIGN(const ChunkInfo info, encode_column(rows, column, schema, *encoders[0], file));
    describe_chunk(info, offset, *row_group->NextColumnChunk());
    uncompressed_bytes += info.uncompressed_bytes;
  }
  row_group->Finish(uncompressed_bytes, static_cast<int16_t>(ordinal));
  return {};
}

Result<ParquetEncoder::State::EncodedRowGroup> ParquetEncoder::State::encode_row_group(
    const arrow::Table& rows, const PreparedSchema& schema, ChunkEncoder& encoder) const {
  EncodedRowGroup row_group{.row_count = rows.num_rows(), .chunks = {}};
  for (int column = 0; column < rows.num_columns(); ++column) {
    EncodedChunk& chunk = row_group.chunks.emplace_back(pool);
    TW_ASSIGN(chunk.info, encode_column(rows, column, schema, encoder, chunk.bytes));
  }
  return row_group;
}

Status ParquetEncoder::State::encode_in_threads(size_t row_group_count,
                                                const RowGroupSource& source,
                                                const PreparedSchema& schema, size_t thread_count,
                                                parquet::FileMetaDataBuilder& metadata) {
  std::vector<EncodedRowGroup> encoded(row_group_count);
  TW_TRY(run_tasks(row_group_count, thread_count, [&](size_t index, size_t worker) -> Status {
    return catch_parquet(kWhere, [&]() -> Status {
      TW_ASSIGN(const auto rows, source(index));
      TW_ASSIGN(encoded[index], encode_row_group(*rows, schema, *encoders[worker]));
      return {};
    });
  }));
  for (size_t ordinal = 0; ordinal < row_group_count; ++ordinal) {
    EncodedRowGroup part = std::move(encoded[ordinal]);
    auto* const row_group = metadata.AppendRowGroup();
    row_group->set_num_rows(part.row_count);
    int64_t uncompressed_bytes = 0;
    for (EncodedChunk& chunk : part.chunks) {
      const auto offset = static_cast<int64_t>(file.size());
      TW_TRY(from_arrow(file.append(chunk.bytes.data(), chunk.bytes.size()), kWhere));
      describe_chunk(chunk.info, offset, *row_group->NextColumnChunk());
      uncompressed_bytes += chunk.info.uncompressed_bytes;
    }
    row_group->Finish(uncompressed_bytes, static_cast<int16_t>(ordinal));
  }
  return {};
}

ParquetEncoder::ParquetEncoder(arrow::MemoryPool* pool) : state_(std::make_unique<State>(pool)) {}

ParquetEncoder::~ParquetEncoder() = default;

Result<std::span<const std::byte>> ParquetEncoder::encode(const arrow::Table& table,
                                                          const ParquetWriteOptions& options) {
  const int64_t rows_max = options.row_group_rows_max;
  const auto slice = [&](size_t index) -> Result<std::shared_ptr<arrow::Table>> {
    return table.Slice(static_cast<int64_t>(index) * rows_max, rows_max);
  };
  const auto count = static_cast<size_t>((table.num_rows() + rows_max - 1) / rows_max);
  return encode(table.schema(), count, slice, options);
}

Result<std::span<const std::byte>> ParquetEncoder::encode(
    const std::shared_ptr<arrow::Schema>& schema, size_t row_group_count,
    const RowGroupSource& source, const ParquetWriteOptions& options) {
  return catch_parquet(kWhere, [&]() -> Result<std::span<const std::byte>> {
    TW_TRY(state_->encode(schema, row_group_count, source, options));
    return std::as_bytes(std::span(state_->file.data(), state_->file.size()));
  });
}

Result<std::shared_ptr<arrow::Buffer>> encode_parquet(const arrow::Table& table,
                                                      const ParquetWriteOptions& options,
                                                      arrow::MemoryPool* pool) {
  ParquetEncoder encoder(pool);
  TW_ASSIGN(const auto bytes, encoder.encode(table, options));
  return from_arrow(
      arrow::AllocateBuffer(static_cast<int64_t>(bytes.size()), pool).Map([&](auto buffer) {
        std::memcpy(buffer->mutable_data(), bytes.data(), bytes.size());
        return std::shared_ptr<arrow::Buffer>(std::move(buffer));
      }),
      kWhere);
}

}  // namespace tapeworks
