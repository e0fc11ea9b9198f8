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

  /// A chunk of a file whose chunks are encoded by several threads.
  struct EncodedChunk {
    explicit EncodedChunk(arrow::MemoryPool* memory_pool) : bytes(memory_pool) {}
    GrowingBuffer bytes;
    ChunkInfo info;
  };

  arrow::Result<const PreparedSchema*> prepared(const std::shared_ptr<arrow::Schema>& schema,
                                                bool store_dictionary_types);
  Status encode(const arrow::Table& table, const ParquetWriteOptions& options);
  Status write_row_groups(const arrow::Table& table, const PreparedSchema& schema,
                          const ParquetWriteOptions& options,
                          parquet::FileMetaDataBuilder& metadata);
  Status encode_chunks(const std::vector<std::shared_ptr<arrow::Table>>& row_groups,
                       const PreparedSchema& schema, size_t thread_count,
                       std::vector<std::unique_ptr<EncodedChunk>>& chunks);

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

Status ParquetEncoder::State::encode(const arrow::Table& table,
                                     const ParquetWriteOptions& options) {
  TW_ASSIGN(const PreparedSchema* const schema,
            from_arrow(prepared(table.schema(), options.store_dictionary_types), kWhere));
  while (encoders.size() < std::max<size_t>(options.thread_count, 1)) {
    encoders.push_back(std::make_unique<ChunkEncoder>(pool));
  }
  file.clear();
  TW_TRY(from_arrow(file.append(kParquetMagic.data(), kParquetMagic.size()), kWhere));
  const auto metadata =
      parquet::FileMetaDataBuilder::Make(schema->parquet_schema.get(), schema->properties);
  TW_TRY(write_row_groups(table, *schema, options, *metadata));
  const auto key_values = std::make_shared<arrow::KeyValueMetadata>();
  key_values->Append("ARROW:schema", schema->stored_schema);
  for (const auto& [key, value] : options.metadata) key_values->Append(key, value);
  FooterSink sink(file);
  parquet::WriteFileMetaData(*metadata->Finish(key_values), &sink);
  return {};
}

Status ParquetEncoder::State::write_row_groups(const arrow::Table& table,
                                               const PreparedSchema& schema,
                                               const ParquetWriteOptions& options,
                                               parquet::FileMetaDataBuilder& metadata) {
  std::vector<std::shared_ptr<arrow::Table>> row_groups;
  for (int64_t row = 0; row < table.num_rows(); row += options.row_group_rows_max) {
    row_groups.push_back(table.Slice(row, options.row_group_rows_max));
  }
  const auto column_count = static_cast<size_t>(table.num_columns());
  const bool in_threads = options.thread_count > 1;
  std::vector<std::unique_ptr<EncodedChunk>> chunks(row_groups.size() * column_count);
  if (in_threads) TW_TRY(encode_chunks(row_groups, schema, options.thread_count, chunks));
  for (size_t ordinal = 0; ordinal < row_groups.size(); ++ordinal) {
    auto* const row_group = metadata.AppendRowGroup();
    row_group->set_num_rows(row_groups[ordinal]->num_rows());
    int64_t uncompressed_bytes = 0;
    for (size_t column = 0; column < column_count; ++column) {
      const auto offset = static_cast<int64_t>(file.size());
      ChunkInfo info;
      if (in_threads) {
        const auto chunk = std::move(chunks[ordinal * column_count + column]);
        TW_TRY(from_arrow(file.append(chunk->bytes.data(), chunk->bytes.size()), kWhere));
        info = std::move(chunk->info);
      } else {
        const int index = static_cast<int>(column);
        TW_ASSIGN(const auto array,
                  from_arrow(whole_column(*row_groups[ordinal], index, pool), kWhere));
        TW_ASSIGN(info, from_arrow(encoders[0]->encode(*array,
                                                       *schema.parquet_schema->Column(index), file),
                                   kWhere));
      }
      describe_chunk(info, offset, *row_group->NextColumnChunk());
      uncompressed_bytes += info.uncompressed_bytes;
    }
    row_group->Finish(uncompressed_bytes, static_cast<int16_t>(ordinal));
  }
  return {};
}

Status ParquetEncoder::State::encode_chunks(
    const std::vector<std::shared_ptr<arrow::Table>>& row_groups, const PreparedSchema& schema,
    size_t thread_count, std::vector<std::unique_ptr<EncodedChunk>>& chunks) {
  const size_t column_count = chunks.size() / std::max<size_t>(row_groups.size(), 1);
  return run_tasks(chunks.size(), thread_count, [&](size_t index, size_t worker) -> Status {
    return catch_parquet(kWhere, [&]() -> Status {
      const int column = static_cast<int>(index % column_count);
      TW_ASSIGN(const auto array,
                from_arrow(whole_column(*row_groups[index / column_count], column, pool), kWhere));
      auto chunk = std::make_unique<EncodedChunk>(pool);
      TW_ASSIGN(chunk->info,
                from_arrow(encoders[worker]->encode(*array, *schema.parquet_schema->Column(column),
                                                    chunk->bytes),
                           kWhere));
      chunks[index] = std::move(chunk);
      return {};
    });
  });
}

ParquetEncoder::ParquetEncoder(arrow::MemoryPool* pool) : state_(std::make_unique<State>(pool)) {}

ParquetEncoder::~ParquetEncoder() = default;

Result<std::span<const std::byte>> ParquetEncoder::encode(const arrow::Table& table,
                                                          const ParquetWriteOptions& options) {
  return catch_parquet(kWhere, [&]() -> Result<std::span<const std::byte>> {
    TW_TRY(state_->encode(table, options));
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
