#include "pipeline/table_writer.h"

#include <span>

#include <arrow/buffer.h>
#include <arrow/table.h>

#include "storage/parquet_write.h"

namespace tapeworks {

std::string symbol_file_path(const std::string& table, const std::string& symbol) {
  return table + "/" + symbol + ".parquet";
}

Status TableWriter::add(const std::string& table, const std::string& relative_path,
                        const arrow::Table& content, int64_t row_group_rows_max) const {
  ParquetWriteOptions options;
  options.metadata = {{"tapeworks.mode", std::string(to_string(mode_))}};
  options.row_group_rows_max = row_group_rows_max;
  TW_ASSIGN(const auto bytes, encode_parquet(content, options, pool()));
  const std::span data(bytes->data(), static_cast<size_t>(bytes->size()));
  return generation_.add_file(table, relative_path, std::as_bytes(data),
                              static_cast<uint64_t>(content.num_rows()));
}

}  // namespace tapeworks
