#pragma once

#include <filesystem>

#include "base/result.h"
#include "storage/manifest.h"

namespace tapeworks {

/// Before something new is made of a file of a generation: that it has the bytes which the manifest
/// names. Otherwise the new tables would have its damage, and checksums that say nothing of it.
///
/// `folder` is that of the generation. kCorrupt for other bytes; kIo when the file cannot be read.
/// Threads: any.
Status check_table_file(const std::filesystem::path& folder, const TableFile& file);

/// The same for one that only the source of the data can give again: the error says so.
Status check_source_file(const std::filesystem::path& folder, const TableFile& file);
/// Likewise of all files of a table.
Status check_source_table(const std::filesystem::path& folder, const Table& table);

}  // namespace tapeworks
