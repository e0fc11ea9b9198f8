#pragma once

#include <memory>
#include <string>

#include <arrow/io/interfaces.h>
#include <arrow/type_fwd.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>

#include "storage/chunk_encoder.h"
#include "storage/growing_buffer.h"

namespace tapeworks {

// What the encoders of whole files and of streams share.

inline constexpr std::string_view kParquetMagic = "PAR1";

/// Where the library writes the footer.
class FooterSink final : public arrow::io::OutputStream {
 public:
  explicit FooterSink(GrowingBuffer& content) : content_(content) {}

  arrow::Status Write(const void* data, int64_t bytes) override {
    return content_.append(data, static_cast<size_t>(bytes));
  }
  using arrow::io::OutputStream::Write;
  arrow::Result<int64_t> Tell() const override { return static_cast<int64_t>(content_.size()); }
  arrow::Status Close() override { return arrow::Status::OK(); }
  bool closed() const override { return false; }

 private:
  GrowingBuffer& content_;
};

/// What files of one schema share.
struct PreparedSchema {
  std::shared_ptr<arrow::Schema> arrow_schema;
  bool store_dictionary_types = true;
  std::shared_ptr<parquet::SchemaDescriptor> parquet_schema;
  std::shared_ptr<parquet::WriterProperties> properties;
  std::string stored_schema;  // for readers that want the Arrow types back
};

arrow::Result<PreparedSchema> prepare_schema(const std::shared_ptr<arrow::Schema>& schema,
                                             bool store_dictionary_types, PagePacking packing,
                                             arrow::MemoryPool* pool);

/// The column as one array.
arrow::Result<std::shared_ptr<arrow::Array>> whole_column(const arrow::Table& rows, int column,
                                                          arrow::MemoryPool* pool);

/// Tells the footer where the chunk lies.
void describe_chunk(const ChunkInfo& info, int64_t offset,
                    parquet::ColumnChunkMetaDataBuilder& metadata);

}  // namespace tapeworks
