#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/latency_histogram.h"
#include "base/result.h"
#include "recorder/protocol/decode.h"
#include "recorder/protocol/instrument_list.h"
#include "recorder/protocol/log_event.h"
#include "recorder/sink/log_state.h"
#include "recorder/sink/recording_path.h"
#include "recorder/sink/row_encoder.h"
#include "storage/log_format.h"
#include "storage/log_reader.h"

namespace tapeworks::recorder {

/// Where rows go.
class RowTarget {
 public:
  virtual ~RowTarget() = default;
  /// A row packed for the table. `time_ns` decides its file; `name` and `row` are borrowed.
  virtual Status take(TableKind table, const PartitionName& name, int64_t time_ns,
                      std::span<const std::byte> row) = 0;
  /// No row of the symbol is to be expected; what there is can be published.
  virtual Status end_symbol(const PartitionName& name) = 0;
};

/// What became of records, for status lines.
struct RowCounts {
  uint64_t frames = 0;
  uint64_t rows = 0;
  uint64_t quarantined = 0;
  uint64_t repeats = 0;
  uint64_t standby_rows = 0;      ///< sampled books of a leg that was not the active one
  uint64_t holes = 0;             ///< on contiguous streams
  uint64_t gaps = 0;              ///< rows of `_gaps`
  uint64_t backfilled_again = 0;  ///< fetched trades that were there already
  uint64_t resets = 0;
  uint64_t unknown_records = 0;  ///< of a kind or source that this version does not know
  std::map<std::string, uint64_t, std::less<>> frame_kinds;  ///< "rows", "ack", "ignored:aggTrade"
  /// From the exchange's time of a row to its receipt, by two different clocks, and which of two
  /// legs brought it.
  struct Leg {
    LatencyHistogram exchange_to_receive;
    uint64_t first_copies = 0;   ///< rows of streams that both legs bring, taken from this one
    uint64_t second_copies = 0;  ///< likewise, left out because the other one was faster
  };
  std::array<uint64_t, kVenues.size()> backfilled{};      ///< rows, by venue
  std::array<std::array<Leg, 2>, kVenues.size()> legs{};  ///< by venue
};

/// Turns log records into rows of all tables. What it gives is a function of the records so far.
/// Threads: one.
class RowMaker {
 public:
  RowMaker(LogState& state, RowTarget& target) : state_(state), target_(target) {}

  Status take(const LogRecord& record);
  /// Records that are missing from the log.
  Status take(const LogHole& hole);

  const RowCounts& counts() const { return counts_; }

 private:
  struct Gap;

  Status take_frame(const LogRecord& record);
  void count_frame_kind();
  Status take_placeholder(const LogRecord& record, LogSource source,
                          const ConnectionState* connection);
  Status take_row(const LogRecord& record, LogSource source, LogKind kind,
                  const ConnectionState* connection, int32_t frame_index, EventRow& row);
  SampledLegs::Verdict judge_sampled(const LogRecord& record, LogSource source,
                                     const ConnectionState* connection, const EventRow& row);
  Status take_sequence(const LogRecord& record, LogSource source, const ConnectionState* connection,
                       Stream stream, const std::string& symbol, int64_t sequence,
                       std::optional<int64_t> event_time_ns, uint64_t fingerprint, bool& keep);
  int64_t plausible_time(std::optional<int64_t> event_time_ns, const LogRecord& record) const;
  Status write_hole(const LogRecord& record, uint32_t connection,
                    const LogState::StreamName& stream, const LegMerge::OpenHole& hole,
                    int64_t began_ns);
  Status write_awaited_holes(const LogRecord& record);
  void note_trades_before(const LogRecord& record, LogSource source,
                          const ConnectionState& connection, LogState::StreamState& state,
                          int64_t sequence);
  Status take_backfill(const LogRecord& record);
  Status take_backfill_page(const LogRecord& record, LogSource source, const LogEvent& event,
                            LogState::StreamState& state, TradeHole& hole);
  Status take_backfill_end(const LogRecord& record, LogSource source, const LogEvent& event,
                           LogState::StreamState& state, TradeHole& hole);
  Status write_filled_gap(const LogRecord& record, const LogState::StreamName& stream,
                          const TradeHole& hole, std::optional<int64_t> missing_count,
                          std::string detail);
  Status take_event(const LogRecord& record, LogKind kind);
  Status take_over_number(const LogRecord& record, LogSource source, ConnectionState& connection);
  Status take_leg_switch(const LogRecord& record, LogSource source, const LogEvent& event,
                         ConnectionState& connection);
  Status take_connect(const LogRecord& record, const LogEvent& event, ConnectionState& connection);
  Status take_all_answered(const LogRecord& record, uint8_t leg, ConnectionState& connection);
  Status take_speech(const LogRecord& record, uint8_t leg, ConnectionState& connection);
  Status take_disconnect(const LogRecord& record, uint8_t leg, const LogEvent& event,
                         ConnectionState& connection);
  Status begin_gap(const LogRecord& record, uint32_t number, ConnectionState& connection,
                   const Moment& from, std::string_view cause);
  Status end_gap(const LogRecord& record, uint32_t number, ConnectionState& connection,
                 int64_t to_ns, std::string detail);
  Status end_subscribing(const LogRecord& record, uint32_t number, ConnectionState& connection,
                         const Moment& to);
  Status take_removed(const LogRecord& record, const LogEvent& event, ConnectionState& connection);
  Status take_numbers(const LogRecord& record, int64_t used_to);
  Status begin_unknown(const LogRecord& record, uint32_t number, ConnectionState& connection);
  Status take_instruments(const LogRecord& record, const LogEvent& event);
  Status take_log_start(const LogRecord& record);
  Status write_event(const LogRecord& record, std::string_view name, const LogEvent& event,
                     std::string_view symbol);
  Status write_gap(const Gap& gap);
  static std::string gap_json(const Gap& gap);
  Status quarantine(const LogRecord& record, LogSource source, std::string_view reason);

  LogState& state_;
  RowTarget& target_;
  RowEncoder encoder_;
  DecodedFrame decoded_;
  JsonDocument document_;
  RowCounts counts_;
  int32_t derived_index_ = 0;  ///< of rows of our own tables that one record gives
};

}  // namespace tapeworks::recorder
