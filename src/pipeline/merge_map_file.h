#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <arrow/type_fwd.h>

#include "base/result.h"
#include "pipeline/broker_mergers.h"

namespace tapeworks {

/// A map of mergers is read whole; larger files are refused.
inline constexpr uint64_t kMergeMapBytesMax = uint64_t{16} * 1024 * 1024;

/// The table of a generation that keeps the map its merged tables were made with.
inline constexpr const char* kMergeMapTable = "broker_merge_map";
inline constexpr const char* kMergeMapFile = "derived/broker_merge_map.parquet";

/// The map that the user wrote, in one of two forms told apart by their first character:
/// one JSON object of old code -> new code, each for good; or lines of old code, tab, new code,
/// tab, last day of the old code (2023-05-31), with or without the heading `old new date`.
/// docs/commands/pnl.md has examples.
///
/// Errors: kInvalidArgument when there is no such file, kIo, kCorrupt naming file and line.
Result<BrokerMergers> read_merge_map(const std::filesystem::path& path);

/// The same from the text of a file; `where` names it in messages.
Result<BrokerMergers> parse_merge_map(std::string_view text, const std::string& where);

/// As kept in a generation: old_broker string, new_broker string, last_date date32 (null: for
/// good); ordered as BrokerMergers::mergers(). Errors: kMemoryBudget when `pool` refuses.
Result<std::shared_ptr<arrow::Table>> merge_map_table(const BrokerMergers& mergers,
                                                      arrow::MemoryPool* pool);

/// Reads that table again. Errors: as read_parquet; kCorrupt for a map that makes no sense.
Result<BrokerMergers> load_merge_map(const std::filesystem::path& path, arrow::MemoryPool* pool);

}  // namespace tapeworks
