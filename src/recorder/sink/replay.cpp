#include "recorder/sink/replay.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/interrupt.h"
#include "base/units.h"
#include "recorder/protocol/log_event.h"
#include "recorder/sink/recording_manifest.h"
#include "recorder/sink/row_maker_internal.h"
#include "recorder/sink/sink.h"
#include "recorder/sink/state_files.h"
#include "storage/log_reader.h"

namespace tapeworks::recorder {
namespace {

/// Between looking for a signal.
constexpr uint64_t kRecordsPerCheck = 1024;

/// Files are joined as soon as they are closed, so that parts do not pile up.
Status do_all_that_waits(Sink& sink) {
  while (true) {
    TW_TRY(check_interrupt());
    TW_ASSIGN(const bool did_something, sink.work());
    if (!did_something) return {};
  }
}

/// What a log says at its beginning of how its recorder divided rows into files.
Result<std::optional<Layout>> logged_layout(const std::filesystem::path& wal_dir) {
  // A recorder begins with it.
  constexpr int kRecordsMax = 64;
  TW_ASSIGN(LogReader reader, LogReader::open(wal_dir));
  JsonDocument document;
  for (int i = 0; i < kRecordsMax; ++i) {
    TW_ASSIGN(const LogReader::Step step, reader.next());
    if (std::holds_alternative<LogReadEnd>(step)) break;
    const auto* const record = std::get_if<LogRecord>(&step);
    if (record == nullptr || record->kind != static_cast<uint8_t>(LogKind::kConfiguration)) {
      continue;
    }
    const auto event = decode_log_event(text_of(record->payload), document);
    if (event) return parse_layout(event->layout);
  }
  return std::nullopt;
}

void note_rules(const LogRecord& record, ReplayResult& result) {
  JsonDocument document;
  const auto event = decode_log_event(text_of(record.payload), document);
  const bool has_rules = event && event->rules;
  const bool is_awaited = result.ruled_from_lsn == ReplayResult::kNeverRuled;
  if (!has_rules) result.ruled_from_lsn = ReplayResult::kNeverRuled;
  if (has_rules && is_awaited) result.ruled_from_lsn = record.lsn;
}

}  // namespace

Result<Reservation> reserve_replay_buffer(MemoryBudget& budget) {
  constexpr uint64_t kBytesMax = 64 * kMiB;
  constexpr uint64_t kShare = 3;
  const uint64_t byte_count = std::min(kBytesMax, budget.capacity_bytes() / kShare);
  Reservation rows;
  if (!budget.try_reserve(byte_count, rows)) {
    return over_budget("reading a log takes {} and more, and --memory leaves less; give more",
                       format_byte_size(byte_count));
  }
  return rows;
}

Result<ReplayResult> replay_log(const ReplayOptions& options, arrow::MemoryPool* pool) {
  if (options.to_lsn != 0 && options.to_lsn < options.from_lsn) {
    return invalid_argument("--to {} lies before --from {}", options.to_lsn, options.from_lsn);
  }
  // Also what comes before from_lsn is read, because it says which symbols a connection has and how
  // far each stream had come.
  TW_ASSIGN(LogReader reader, LogReader::open(options.wal_dir));
  TW_ASSIGN(std::optional<Checkpoint> oldest, find_state(options.wal_dir));
  std::optional<Layout> layout = options.layout;
  if (!layout) {
    const auto top = read_manifest_top(options.sink.output_dir);
    if (top && *top) layout = (*top)->layout;
  }
  if (!layout && oldest) layout = oldest->layout;
  if (!layout) {
    TW_ASSIGN(layout, logged_layout(options.wal_dir));
  }
  SinkOptions sink_options = options.sink;
  sink_options.layout = layout.value_or(Layout::kSymbol);
  sink_options.replay = true;
  sink_options.rows_from_lsn = options.from_lsn;
  if (options.to_lsn != 0) sink_options.last_lsn = options.to_lsn;
  TW_ASSIGN(const auto sink, Sink::open(std::move(sink_options), pool));
  ReplayResult result;
  bool is_first = true;
  std::optional<LogState> state;
  const uint64_t limit = options.to_lsn == 0 ? LogReader::kNoLimit : options.to_lsn;
  while (true) {
    TW_ASSIGN(const LogReader::Step step, reader.next(limit));
    if (std::holds_alternative<LogReadEnd>(step)) break;
    if (const auto* const hole = std::get_if<LogHole>(&step)) {
      TW_TRY(sink->consume(*hole));
      result.missing_records += hole->missing_count;
      if (!result.first_missing_lsn) result.first_missing_lsn = hole->first_missing_lsn;
      continue;
    }
    const auto& record = std::get<LogRecord>(step);
    if (state && record.lsn > state->lsn) {
      sink->adopt(std::move(*state));
      state.reset();
      result.whole_from_ns = sink->whole_from_ns();
      result.is_exact = true;
    }
    TW_TRY(sink->consume(record));
    // Before --from moves it.
    if (std::exchange(is_first, false) && sink->whole_from_ns() != 0) {
      result.whole_from_ns = sink->whole_from_ns();
      if (oldest) state = std::move(oldest->state);
    }
    oldest.reset();
    if (record.kind == static_cast<uint8_t>(LogKind::kConfiguration)) note_rules(record, result);
    if (record.lsn >= options.from_lsn) {
      if (result.record_count++ == 0) result.first_lsn = record.lsn;
      result.last_lsn = record.lsn;
    }
    if (record.lsn % kRecordsPerCheck == 0) TW_TRY(do_all_that_waits(*sink));
  }
  TW_TRY(check_interrupt());
  TW_TRY(sink->finish());
  const SinkStatus status = sink->status();
  result.row_count = sink->counts().rows;
  result.quarantined_count = sink->counts().quarantined;
  result.published_files = status.published_files;
  result.kept_files = status.kept_files;
  return result;
}

}  // namespace tapeworks::recorder
