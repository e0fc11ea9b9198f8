#pragma once

#include <filesystem>
#include <string>

#include <arrow/type_fwd.h>

#include "base/result.h"
#include "pipeline/daily_summary.h"
#include "pipeline/mode.h"
#include "pipeline/symbol_pnl.h"
#include "storage/manifest.h"

namespace tapeworks {

/// The accounts of a symbol as its file of table pnl has them.
struct KeptAccounts {
  DailySummary brokers;  ///< symbol and brokers only; no rows
  SymbolPnl pnl;         ///< accounts only
};

/// Reads a file of table pnl below `generation` that is not computed again. Errors: kCorrupt when
/// its bytes are not those of the manifest, or it has a null or brokers twice; as read_parquet.
Result<KeptAccounts> read_kept_accounts(const std::filesystem::path& generation,
                                        const TableFile& file, const std::string& symbol, Mode mode,
                                        arrow::MemoryPool* pool);

}  // namespace tapeworks
