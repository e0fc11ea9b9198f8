#include "pipeline/table_writer.h"

#include <algorithm>
#include <span>
#include <utility>

#include <arrow/table.h>

#include "base/run_stats.h"

namespace tapeworks {

std::string symbol_file_path(const std::string& table, const std::string& symbol) {
  return table + "/" + symbol + ".parquet";
}

const std::shared_ptr<arrow::DataType>& coded_text() {
  static const auto kType = arrow::dictionary(arrow::int32(), arrow::utf8());
  return kType;
}

ParquetWriteOptions TableWriter::options_of(const Layout& layout) const {
  ParquetWriteOptions options;
  options.metadata = {{"tapeworks.mode", std::string(to_string(mode_))}};
  options.row_group_rows_max = layout.row_group_rows_max;
  options.store_dictionary_types = layout.store_dictionary_types;
  options.thread_count = layout.thread_count;
  return options;
}

Status TableWriter::add(const std::string& table, const std::string& relative_path,
                        const arrow::Table& content, const Layout& layout) const {
  auto encoder = take_encoder();
  std::span<const std::byte> bytes;
  {
    const StageTimer timer(Stage::kEncode);
    TW_ASSIGN(bytes, encoder->encode(content, options_of(layout)));
  }
  const StageTimer timer(Stage::kWrite);
  const auto row_count = static_cast<uint64_t>(content.num_rows());
  TW_TRY(generation_.add_file(table, relative_path, bytes, row_count));
  idle_encoders_.give_back(std::move(encoder));
  return {};
}

Status TableWriter::add(const std::string& table, const std::string& relative_path,
                        const StreamedContent& content, const Layout& layout) const {
  const int64_t rows_max = layout.row_group_rows_max;
  const auto row_groups = static_cast<size_t>((content.row_count + rows_max - 1) / rows_max);
  const auto rows_of = [&](size_t index) {
    const int64_t begin = static_cast<int64_t>(index) * rows_max;
    return content.rows(begin, std::min(begin + rows_max, content.row_count));
  };
  auto encoder = take_encoder();
  const auto write = [&](const ByteSink& file) {
    const ByteSink timed = [&](std::span<const std::byte> bytes) {
      const StageTimer timer(Stage::kWrite);
      return file(bytes);
    };
    return encoder->encode_to(timed, content.schema, row_groups, rows_of, options_of(layout));
  };
  TW_TRY(generation_.stream_file(table, relative_path, static_cast<uint64_t>(content.row_count),
                                 write));
  idle_encoders_.give_back(std::move(encoder));
  return {};
}

std::unique_ptr<ParquetEncoder> TableWriter::take_encoder() const {
  auto idle = idle_encoders_.take();
  return idle ? std::move(*idle) : std::make_unique<ParquetEncoder>(pool());
}

}  // namespace tapeworks
