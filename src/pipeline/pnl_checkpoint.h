#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/calendar_day.h"
#include "base/result.h"
#include "pipeline/symbol_state.h"

namespace tapeworks {

/// How many tables of profit and loss have a file for each symbol.
inline constexpr size_t kPnlFileCount = 4;

/// What the tables of profit and loss of one symbol were made from.
struct PnlSources {
  uint64_t summary_xxh3 = 0;  ///< of the file of daily_summary
  uint64_t closes_xxh3 = 0;   ///< closes_fingerprint() up to as_of
  uint64_t mergers_xxh3 = 0;  ///< of the map of mergers; 0 for tables of the data's own codes
  uint32_t rules_version = 0;
  Day start;
  Day as_of;
  Day last_day;         ///< of any row of the summary
  bool daily = false;   ///< with pnl_daily
  bool ledger = false;  ///< with position_ledger

  /// Whether the two give the same tables: all is the same, but for days of valuation on which the
  /// same rows and closes are seen.
  bool gives_same_tables(const PnlSources& other) const;
};

/// A state, and StateFingerprints::up_to() its day.
struct SavedState {
  SymbolState state;
  uint64_t fingerprint = 0;
};

/// What the tables of a symbol do not say of an account.
struct AccountEnd {
  Day last_trade_date = kNullDay;  ///< as AccountPnl
  bool has_open_lots = false;

  bool operator==(const AccountEnd&) const = default;
};

/// checkpoint/pnl/SYMBOL of a generation: what the tables of one symbol were made from, and states
/// from which their computation can go on (docs/formats/pnl_checkpoint.md). It is no part of the
/// result.
struct PnlCheckpoint {
  std::string symbol;
  PnlSources sources;
  /// XXH3-64 of the files of pnl, fifo_state, pnl_daily and position_ledger that were made; 0 for
  /// none.
  std::array<uint64_t, kPnlFileCount> files{};
  std::vector<AccountEnd> ends;    ///< by broker, as the tables were made
  std::vector<SavedState> states;  ///< ascending by day
};

/// A file for one symbol is never longer.
inline constexpr uint64_t kPnlCheckpointBytesMax = uint64_t{64} * 1024 * 1024;

std::string encode_pnl_checkpoint(const PnlCheckpoint& checkpoint);
/// kCorrupt, with a clause that says why, for bytes that magic and checksum do not call a whole
/// checkpoint of this version. Takes no memory, which decoding does.
Status check_pnl_checkpoint(std::string_view bytes);
/// kCorrupt likewise.
Result<PnlCheckpoint> decode_pnl_checkpoint(std::string_view bytes);

/// About how much memory the decoded form of so many bytes takes.
uint64_t pnl_checkpoint_memory_bytes(uint64_t encoded_bytes);

}  // namespace tapeworks
