#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/result.h"

namespace tapeworks {

/// The row groups of a Parquet file, ascending, in which the text column may hold `text`, as far as
/// the minimum and maximum in the footer tell. Of a file sorted by that column these are one or
/// two; a row group without statistics is always among them. Errors: as read_parquet.
Result<std::vector<int>> row_groups_with_text(const std::filesystem::path& path,
                                              const std::string& column, std::string_view text,
                                              arrow::MemoryPool* pool);

}  // namespace tapeworks
