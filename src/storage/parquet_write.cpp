#include "storage/parquet_write.h"

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/table.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>

#include "storage/arrow_status_internal.h"

namespace tapeworks {
namespace {

constexpr int kZstdLevel = 1;
/// One page a column for all but the largest tables: fewer headers, and readers decode in one go.
constexpr int64_t kDataPageBytes = 1024 * 1024;

std::shared_ptr<parquet::WriterProperties> writer_properties(const arrow::Schema& schema,
                                                             const ParquetWriteOptions& options,
                                                             arrow::MemoryPool* pool) {
  parquet::WriterProperties::Builder builder;
  builder.memory_pool(pool)
      ->version(parquet::ParquetVersion::PARQUET_2_6)
      ->data_page_version(parquet::ParquetDataPageVersion::V1)
      ->compression(arrow::Compression::ZSTD)
      ->compression_level(kZstdLevel)
      ->data_pagesize(kDataPageBytes)
      ->dictionary_pagesize_limit(kDataPageBytes)
      ->max_row_group_length(options.row_group_rows_max)
      ->disable_dictionary();
  for (const auto& field : schema.fields()) {
    switch (field->type()->id()) {
      case arrow::Type::DICTIONARY:
      case arrow::Type::STRING:
        builder.enable_dictionary(field->name());
        break;
      case arrow::Type::DATE32:
      case arrow::Type::UINT32:
      case arrow::Type::INT64:
        builder.encoding(field->name(), parquet::Encoding::DELTA_BINARY_PACKED);
        break;
      default:
        builder.encoding(field->name(), parquet::Encoding::BYTE_STREAM_SPLIT);
    }
  }
  return builder.build();
}

}  // namespace

Result<std::shared_ptr<arrow::Buffer>> encode_parquet(const arrow::Table& table,
                                                      const ParquetWriteOptions& options,
                                                      arrow::MemoryPool* pool) {
  static constexpr std::string_view kWhere = "encoding Parquet";
  return catch_parquet(kWhere, [&]() -> Result<std::shared_ptr<arrow::Buffer>> {
    TW_ASSIGN(const auto sink,
              from_arrow(arrow::io::BufferOutputStream::Create(64 * 1024, pool), kWhere));
    const auto arrow_properties = parquet::ArrowWriterProperties::Builder().store_schema()->build();
    TW_ASSIGN(const auto writer,
              from_arrow(parquet::arrow::FileWriter::Open(
                             *table.schema(), pool, sink,
                             writer_properties(*table.schema(), options, pool), arrow_properties),
                         kWhere));
    TW_TRY(from_arrow(writer->WriteTable(table, options.row_group_rows_max), kWhere));
    const auto metadata = std::make_shared<arrow::KeyValueMetadata>();
    for (const auto& [key, value] : options.metadata) metadata->Append(key, value);
    TW_TRY(from_arrow(writer->AddKeyValueMetadata(metadata), kWhere));
    TW_TRY(from_arrow(writer->Close(), kWhere));
    return from_arrow(sink->Finish(), kWhere);
  });
}

}  // namespace tapeworks
