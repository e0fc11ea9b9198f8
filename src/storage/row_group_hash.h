#pragma once

#include <cstdint>
#include <optional>

#include "storage/parquet_input.h"

namespace tapeworks {

/// XXH3-64 of everything that decides the rows of a row group: the bytes of its column chunks as
/// they lie in the file, and the schema and codecs by which they are read. It does not depend on
/// the file's other row groups, so it stays when a file grows.
///
/// Nothing when the bytes cannot be read: such a row group is like no other one. Threads: any.
std::optional<uint64_t> row_group_hash(const ParquetInput& file, int row_group);

/// XXH3-64 of the footer's bytes. Nothing when they cannot be read. Threads: any.
std::optional<uint64_t> footer_hash(const ParquetInput& file);

}  // namespace tapeworks
