#include "storage/parquet_write.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/table.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/file_writer.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>

#include "base/run_stats.h"
#include "base/thread_tasks.h"
#include "storage/arrow_status_internal.h"
#include "storage/chunk_encoder.h"
#include "storage/parquet_layout_internal.h"

namespace tapeworks {
namespace {

constexpr std::string_view kWhere = "encoding Parquet";

}  // namespace

/// What one thread needs to encode row groups, kept from one to the next.
struct ParquetEncoder::Worker {
  explicit Worker(arrow::MemoryPool* pool) : encoder(pool, {}), bytes(pool) {}

  ChunkEncoder encoder;
  GrowingBuffer bytes;  ///< of all chunks
  std::vector<ChunkInfo> chunks;
  int64_t row_count = 0;

  /// Appends the chunks to `bytes`.
  Status encode(const arrow::Table& rows, const PreparedSchema& schema, arrow::MemoryPool* pool) {
    row_count = rows.num_rows();
    chunks.clear();
    for (int column = 0; column < rows.num_columns(); ++column) {
      TW_ASSIGN(const auto array, from_arrow(whole_column(rows, column, pool), kWhere));
      TW_ASSIGN(chunks.emplace_back(),
                from_arrow(encoder.encode(*array, *schema.parquet_schema->Column(column), bytes),
                           kWhere));
    }
    return {};
  }

  /// What was encoded last lies at `offset` of the file. Returns where it ends.
  int64_t describe(int64_t offset, size_t ordinal, parquet::FileMetaDataBuilder& metadata) const {
    auto* const row_group = metadata.AppendRowGroup();
    row_group->set_num_rows(row_count);
    int64_t uncompressed_bytes = 0;
    for (const ChunkInfo& chunk : chunks) {
      describe_chunk(chunk, offset, *row_group->NextColumnChunk());
      offset += chunk.byte_count;
      uncompressed_bytes += chunk.uncompressed_bytes;
    }
    row_group->Finish(uncompressed_bytes, static_cast<int16_t>(ordinal));
    return offset;
  }
};

namespace {

/// Lets threads hand on what they made in the order of its numbers.
class Turns {
 public:
  /// Waits until all before `number` have had their turn; false when one of them failed.
  bool wait(size_t number) {
    std::unique_lock lock(mutex_);
    moved_.wait(lock, [&] { return failed_ || next_ == number; });
    return !failed_;
  }
  void end(bool ok) {
    {
      const std::scoped_lock lock(mutex_);
      if (ok) {
        ++next_;
      } else {
        failed_ = true;
      }
    }
    moved_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable moved_;
  size_t next_ = 0;
  bool failed_ = false;
};

}  // namespace

struct ParquetEncoder::State {
  explicit State(arrow::MemoryPool* memory_pool) : pool(memory_pool) {}

  arrow::Result<const PreparedSchema*> prepared(const std::shared_ptr<arrow::Schema>& schema,
                                                bool store_dictionary_types);
  void provide_workers(size_t count);
  /// A whole file into the buffer of the first worker.
  Status encode(const arrow::Table& table, const ParquetWriteOptions& options);
  Status encode_to(const ByteSink& sink, const std::shared_ptr<arrow::Schema>& arrow_schema,
                   size_t row_group_count, const RowGroupSource& source,
                   const ParquetWriteOptions& options);
  static void append_footer(parquet::FileMetaDataBuilder& metadata, const PreparedSchema& schema,
                            const ParquetWriteOptions& options, GrowingBuffer& out);

  arrow::MemoryPool* pool;
  std::vector<std::unique_ptr<Worker>> workers;  // one a thread
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
  ARROW_ASSIGN_OR_RAISE(PreparedSchema made,
                        prepare_schema(schema, store_dictionary_types, PagePacking::kSmall, pool));
  schemas.push_back(std::make_unique<PreparedSchema>(std::move(made)));
  return schemas.back().get();
}

void ParquetEncoder::State::provide_workers(size_t count) {
  while (workers.size() < std::max<size_t>(count, 1)) {
    workers.push_back(std::make_unique<Worker>(pool));
  }
}

void ParquetEncoder::State::append_footer(parquet::FileMetaDataBuilder& metadata,
                                          const PreparedSchema& schema,
                                          const ParquetWriteOptions& options, GrowingBuffer& out) {
  const auto key_values = std::make_shared<arrow::KeyValueMetadata>();
  key_values->Append("ARROW:schema", schema.stored_schema);
  for (const auto& [key, value] : options.metadata) key_values->Append(key, value);
  FooterSink sink(out);
  parquet::WriteFileMetaData(*metadata.Finish(key_values), &sink);
}

Status ParquetEncoder::State::encode(const arrow::Table& table,
                                     const ParquetWriteOptions& options) {
  TW_ASSIGN(const PreparedSchema* const schema,
            from_arrow(prepared(table.schema(), options.store_dictionary_types), kWhere));
  provide_workers(1);
  Worker& worker = *workers[0];
  worker.bytes.clear();
  TW_TRY(from_arrow(worker.bytes.append(kParquetMagic.data(), kParquetMagic.size()), kWhere));
  const auto metadata =
      parquet::FileMetaDataBuilder::Make(schema->parquet_schema.get(), schema->properties);
  size_t ordinal = 0;
  const int64_t rows_max = options.row_group_rows_max;
  for (int64_t row = 0; row < table.num_rows(); row += rows_max) {
    const auto offset = static_cast<int64_t>(worker.bytes.size());
    TW_TRY(worker.encode(*table.Slice(row, rows_max), *schema, pool));
    worker.describe(offset, ordinal++, *metadata);
  }
  append_footer(*metadata, *schema, options, worker.bytes);
  return {};
}

Status ParquetEncoder::State::encode_to(const ByteSink& sink,
                                        const std::shared_ptr<arrow::Schema>& arrow_schema,
                                        size_t row_group_count, const RowGroupSource& source,
                                        const ParquetWriteOptions& options) {
  TW_ASSIGN(const PreparedSchema* const schema,
            from_arrow(prepared(arrow_schema, options.store_dictionary_types), kWhere));
  provide_workers(options.thread_count);
  const auto metadata =
      parquet::FileMetaDataBuilder::Make(schema->parquet_schema.get(), schema->properties);
  auto offset = static_cast<int64_t>(kParquetMagic.size());
  TW_TRY(sink(std::as_bytes(std::span(kParquetMagic))));
  Turns turns;
  const auto encode_one = [&](size_t index, Worker& worker) -> Status {
    {
      const StageTimer timer(Stage::kEncode);
      TW_ASSIGN(const auto rows, source(index));
      worker.bytes.clear();
      TW_TRY(worker.encode(*rows, *schema, pool));
    }
    // Whoever failed reports it.
    if (!turns.wait(index)) return {};
    offset = worker.describe(offset, index, *metadata);
    return sink(std::as_bytes(std::span(worker.bytes.data(), worker.bytes.size())));
  };
  TW_TRY(run_tasks(row_group_count, options.thread_count, [&](size_t index, size_t number) {
    Status done = catch_parquet(kWhere, [&] { return encode_one(index, *workers[number]); });
    turns.end(done.has_value());
    return done;
  }));
  GrowingBuffer& footer = workers[0]->bytes;
  footer.clear();
  append_footer(*metadata, *schema, options, footer);
  return sink(std::as_bytes(std::span(footer.data(), footer.size())));
}

ParquetEncoder::ParquetEncoder(arrow::MemoryPool* pool) : state_(std::make_unique<State>(pool)) {}

ParquetEncoder::~ParquetEncoder() = default;

Result<std::span<const std::byte>> ParquetEncoder::encode(const arrow::Table& table,
                                                          const ParquetWriteOptions& options) {
  return catch_parquet(kWhere, [&]() -> Result<std::span<const std::byte>> {
    TW_TRY(state_->encode(table, options));
    GrowingBuffer& bytes = state_->workers[0]->bytes;
    return std::as_bytes(std::span(bytes.data(), bytes.size()));
  });
}

Status ParquetEncoder::encode_to(const ByteSink& sink, const std::shared_ptr<arrow::Schema>& schema,
                                 size_t row_group_count, const RowGroupSource& source,
                                 const ParquetWriteOptions& options) {
  return catch_parquet(
      kWhere, [&] { return state_->encode_to(sink, schema, row_group_count, source, options); });
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
