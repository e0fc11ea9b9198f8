#include "storage/parquet_layout_internal.h"

#include <map>
#include <string_view>
#include <utility>

#include <arrow/array.h>
#include <arrow/array/concatenate.h>
#include <arrow/buffer.h>
#include <arrow/ipc/writer.h>
#include <arrow/table.h>
#include <arrow/util/base64.h>
#include <parquet/arrow/schema.h>

namespace tapeworks {

using parquet::Encoding;

namespace {

std::shared_ptr<parquet::WriterProperties> writer_properties(PagePacking packing,
                                                             arrow::MemoryPool* pool) {
  parquet::WriterProperties::Builder builder;
  builder.memory_pool(pool)
      ->version(parquet::ParquetVersion::PARQUET_2_6)
      ->data_page_version(parquet::ParquetDataPageVersion::V1);
  if (packing == PagePacking::kFast) {
    builder.compression(arrow::Compression::UNCOMPRESSED);
  } else {
    builder.compression(arrow::Compression::ZSTD)->compression_level(kPageZstdLevel);
  }
  return builder.build();
}

/// The schema with dictionary columns as what they mean.
std::shared_ptr<arrow::Schema> without_dictionaries(const arrow::Schema& schema) {
  arrow::FieldVector fields;
  for (const auto& field : schema.fields()) {
    const bool is_coded = field->type()->id() == arrow::Type::DICTIONARY;
    fields.push_back(
        is_coded ? field->WithType(
                       static_cast<const arrow::DictionaryType&>(*field->type()).value_type())
                 : field);
  }
  return arrow::schema(std::move(fields));
}

}  // namespace

arrow::Result<PreparedSchema> prepare_schema(const std::shared_ptr<arrow::Schema>& schema,
                                             bool store_dictionary_types, PagePacking packing,
                                             arrow::MemoryPool* pool) {
  PreparedSchema prepared;
  prepared.arrow_schema = schema;
  prepared.store_dictionary_types = store_dictionary_types;
  prepared.properties = writer_properties(packing, pool);
  ARROW_RETURN_NOT_OK(parquet::arrow::ToParquetSchema(schema.get(), *prepared.properties,
                                                      &prepared.parquet_schema));
  const auto stored = store_dictionary_types ? schema : without_dictionaries(*schema);
  ARROW_ASSIGN_OR_RAISE(const auto serialized, arrow::ipc::SerializeSchema(*stored, pool));
  prepared.stored_schema = arrow::util::base64_encode(std::string_view(*serialized));
  return prepared;
}

arrow::Result<std::shared_ptr<arrow::Array>> whole_column(const arrow::Table& rows, int column,
                                                          arrow::MemoryPool* pool) {
  const auto& chunks = rows.column(column)->chunks();
  if (chunks.size() == 1) return chunks[0];
  return arrow::Concatenate(chunks, pool);
}

void describe_chunk(const ChunkInfo& info, int64_t offset,
                    parquet::ColumnChunkMetaDataBuilder& metadata) {
  const bool has_dictionary = info.dictionary_bytes != 0;
  std::map<Encoding::type, int32_t> dictionary_pages;
  if (has_dictionary) dictionary_pages[Encoding::PLAIN] = 1;
  std::map<Encoding::type, int32_t> data_pages{{info.encoding, info.data_page_count}};
  const bool has_plain_pages = info.plain_page_count != 0;
  if (has_plain_pages) data_pages[Encoding::PLAIN] = info.plain_page_count;
  metadata.SetStatistics(info.statistics);
  metadata.Finish(info.value_count, has_dictionary ? offset : 0, -1, offset + info.dictionary_bytes,
                  info.byte_count, info.uncompressed_bytes, has_dictionary, has_plain_pages,
                  dictionary_pages, data_pages);
}

}  // namespace tapeworks
