#include "storage/row_group_filter.h"

#include <memory>

#include <arrow/io/interfaces.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/statistics.h>

#include "storage/arrow_status_internal.h"
#include "storage/input_file.h"

namespace tapeworks {
namespace {

bool may_hold(const parquet::ColumnChunkMetaData& chunk, std::string_view text) {
  const auto statistics = chunk.statistics();
  if (statistics == nullptr || !statistics->HasMinMax() ||
      statistics->physical_type() != parquet::Type::BYTE_ARRAY) {
    return true;
  }
  const auto& bounds = static_cast<const parquet::ByteArrayStatistics&>(*statistics);
  return std::string_view(bounds.min()) <= text && text <= std::string_view(bounds.max());
}

}  // namespace

Result<std::vector<int>> row_groups_with_text(const std::filesystem::path& path,
                                              const std::string& column, std::string_view text,
                                              arrow::MemoryPool* pool) {
  const std::string where = path.string();
  TW_ASSIGN(const auto opened, open_arrow_file(path, pool));
  return catch_parquet(where, [&]() -> Result<std::vector<int>> {
    const auto reader = parquet::ParquetFileReader::Open(opened, parquet::ReaderProperties(pool));
    const auto metadata = reader->metadata();
    const int index = metadata->schema()->ColumnIndex(column);
    if (index < 0) return corrupt("{}: column '{}' is missing", where, column);
    std::vector<int> row_groups;
    for (int i = 0; i < metadata->num_row_groups(); ++i) {
      if (may_hold(*metadata->RowGroup(i)->ColumnChunk(index), text)) row_groups.push_back(i);
    }
    return row_groups;
  });
}

}  // namespace tapeworks
