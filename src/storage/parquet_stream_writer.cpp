#include "storage/parquet_stream_writer.h"

#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <arrow/table.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/file_writer.h>
#include <parquet/metadata.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "storage/arrow_status_internal.h"
#include "storage/chunk_encoder.h"
#include "storage/parquet_layout_internal.h"
#include "storage/posix_file.h"

namespace tapeworks {
namespace {

/// Of each buffer that is kept for the next file.
constexpr size_t kKeptBytesMax = size_t{1} << 20;

}  // namespace

struct ParquetStreamWriter::State {
  State(arrow::MemoryPool* memory_pool, PagePacking page_packing)
      : pool(memory_pool),
        packing(page_packing),
        encoder(memory_pool, {.int32 = ChunkEncoder::Int32Encoding::kDelta,
                              .split = ChunkEncoder::SplitContent::kRepeating,
                              .packing = page_packing}),
        buffer(memory_pool) {}

  Status write_buffer();
  Status append_row_group(const arrow::Table& rows);
  Status append_page(const arrow::Table& rows);
  Status end_row_group();
  void forget_pages();
  void give_back_buffers();
  template <typename EncodeChunk>
  Status write_row_group(int column_count, int64_t row_count, EncodeChunk&& encode_chunk);
  Status append_footer(const std::map<std::string, std::string>& metadata);
  arrow::Result<const PreparedSchema*> prepared(const std::shared_ptr<arrow::Schema>& schema);

  arrow::MemoryPool* pool;
  PagePacking packing;
  ChunkEncoder encoder;
  GrowingBuffer buffer;  // what is to be written next
  std::vector<std::unique_ptr<PreparedSchema>> schemas;

  // The file being written.
  std::filesystem::path path;
  FileDescriptor file;
  const PreparedSchema* schema = nullptr;
  std::unique_ptr<parquet::FileMetaDataBuilder> footer;
  XXH3_state_t hash;
  WrittenFile written;
  int row_group_count = 0;
  std::vector<PagedChunk> chunks;  // of the row group that is made of pages
  int64_t paged_rows = 0;          // in them
};

arrow::Result<const PreparedSchema*> ParquetStreamWriter::State::prepared(
    const std::shared_ptr<arrow::Schema>& wanted) {
  for (const auto& known : schemas) {
    if (known->arrow_schema == wanted) return known.get();
  }
  // Callers that do not share their schema must not fill the memory with it.
  constexpr size_t kSchemasMax = 16;
  if (schemas.size() == kSchemasMax) schemas.erase(schemas.begin());
  ARROW_ASSIGN_OR_RAISE(PreparedSchema made, prepare_schema(wanted, false, packing, pool));
  schemas.push_back(std::make_unique<PreparedSchema>(std::move(made)));
  return schemas.back().get();
}

Status ParquetStreamWriter::State::write_buffer() {
  const auto bytes = std::as_bytes(std::span(buffer.data(), buffer.size()));
  TW_TRY(write_all(file, bytes, path));
  XXH3_64bits_update(&hash, bytes.data(), bytes.size());
  written.byte_count += bytes.size();
  buffer.clear();
  return {};
}

/// `encode_chunk` appends a column to the buffer.
template <typename EncodeChunk>
Status ParquetStreamWriter::State::write_row_group(int column_count, int64_t row_count,
                                                   EncodeChunk&& encode_chunk) {
  const std::string where = path.string();
  if (row_group_count == std::numeric_limits<int16_t>::max()) {
    return internal_error("{}: a Parquet file has no room for more row groups", where);
  }
  auto* const row_group = footer->AppendRowGroup();
  row_group->set_num_rows(row_count);
  int64_t uncompressed_bytes = 0;
  for (int column = 0; column < column_count; ++column) {
    const auto offset = static_cast<int64_t>(written.byte_count + buffer.size());
    TW_ASSIGN(const ChunkInfo info, from_arrow(encode_chunk(column), where));
    describe_chunk(info, offset, *row_group->NextColumnChunk());
    uncompressed_bytes += info.uncompressed_bytes;
    // Small chunks go out together.
    constexpr size_t kWriteBytes = size_t{256} * 1024;
    if (buffer.size() >= kWriteBytes) TW_TRY(write_buffer());
  }
  row_group->Finish(uncompressed_bytes, static_cast<int16_t>(row_group_count++));
  written.row_count += static_cast<uint64_t>(row_count);
  return {};
}

Status ParquetStreamWriter::State::append_row_group(const arrow::Table& rows) {
  if (!chunks.empty())
    return internal_error("{}: a row group begins inside another one", path.string());
  const auto encode = [&](int column) -> arrow::Result<ChunkInfo> {
    ARROW_ASSIGN_OR_RAISE(const auto array, whole_column(rows, column, pool));
    return encoder.encode(*array, *schema->parquet_schema->Column(column), buffer);
  };
  return write_row_group(rows.num_columns(), rows.num_rows(), encode);
}

Status ParquetStreamWriter::State::append_page(const arrow::Table& rows) {
  const std::string where = path.string();
  for (int column = 0; column < rows.num_columns(); ++column) {
    if (static_cast<int>(chunks.size()) == column) chunks.emplace_back(pool);
    TW_ASSIGN(const auto array, from_arrow(whole_column(rows, column, pool), where));
    const auto& descriptor = *schema->parquet_schema->Column(column);
    TW_TRY(from_arrow(encoder.append_page(*array, descriptor, chunks[static_cast<size_t>(column)]),
                      where));
  }
  paged_rows += rows.num_rows();
  return {};
}

Status ParquetStreamWriter::State::end_row_group() {
  if (chunks.empty()) return internal_error("{}: a row group ends that has no page", path.string());
  const auto encode = [&](int column) {
    return encoder.finish(chunks[static_cast<size_t>(column)],
                          *schema->parquet_schema->Column(column), buffer);
  };
  TW_TRY(write_row_group(static_cast<int>(chunks.size()), paged_rows, encode));
  forget_pages();
  return {};
}

void ParquetStreamWriter::State::forget_pages() {
  chunks.clear();
  paged_rows = 0;
}

void ParquetStreamWriter::State::give_back_buffers() {
  encoder.give_back(kKeptBytesMax);
  buffer.give_back(kKeptBytesMax);
}

Status ParquetStreamWriter::State::append_footer(
    const std::map<std::string, std::string>& metadata) {
  const auto key_values = std::make_shared<arrow::KeyValueMetadata>();
  key_values->Append("ARROW:schema", schema->stored_schema);
  for (const auto& [key, value] : metadata) key_values->Append(key, value);
  FooterSink sink(buffer);
  parquet::WriteFileMetaData(*footer->Finish(key_values), &sink);
  return write_buffer();
}

ParquetStreamWriter::ParquetStreamWriter(arrow::MemoryPool* pool, PagePacking packing)
    : state_(std::make_unique<State>(pool, packing)) {}

ParquetStreamWriter::~ParquetStreamWriter() = default;

Status ParquetStreamWriter::open(const std::filesystem::path& path,
                                 const std::shared_ptr<arrow::Schema>& schema) {
  State& state = *state_;
  const std::string where = path.string();
  return catch_parquet(where, [&]() -> Status {
    TW_ASSIGN(state.schema, from_arrow(state.prepared(schema), where));
    TW_ASSIGN(state.file, create_file(path));
    state.path = path;
    state.footer = parquet::FileMetaDataBuilder::Make(state.schema->parquet_schema.get(),
                                                      state.schema->properties);
    XXH3_64bits_reset(&state.hash);
    state.written = {};
    state.row_group_count = 0;
    state.forget_pages();
    state.give_back_buffers();  // of a file that was not finished
    return from_arrow(state.buffer.append(kParquetMagic.data(), kParquetMagic.size()), where);
  });
}

Status ParquetStreamWriter::append_row_group(const arrow::Table& rows) {
  return catch_parquet(state_->path.string(), [&] { return state_->append_row_group(rows); });
}

Status ParquetStreamWriter::append_page(const arrow::Table& rows) {
  return catch_parquet(state_->path.string(), [&] { return state_->append_page(rows); });
}

Status ParquetStreamWriter::end_row_group() {
  return catch_parquet(state_->path.string(), [&] { return state_->end_row_group(); });
}

Result<WrittenFile> ParquetStreamWriter::finish(
    const std::map<std::string, std::string>& metadata) {
  State& state = *state_;
  return catch_parquet(state.path.string(), [&]() -> Result<WrittenFile> {
    if (!state.chunks.empty())
      return internal_error("{}: a row group is not ended", state.path.string());
    TW_TRY(state.append_footer(metadata));
    state.footer.reset();
    state.give_back_buffers();
    TW_TRY(sync_file(state.file, state.path));
    TW_TRY(state.file.close(state.path));
    state.written.xxh3 = XXH3_64bits_digest(&state.hash);
    return state.written;
  });
}

}  // namespace tapeworks
