#include <utility>

#include "recorder/protocol/trade_backfill.h"
#include "recorder/protocol/trade_page.h"
#include "recorder/sink/row_maker_internal.h"

// Trades that were fetched because they had not been received.

namespace tapeworks::recorder {
/// Where numbers are skipped in any case, a time without connection is what trades may lack: those
/// between the last number before it and the first one behind it. Holes in contiguous numbers show
/// by themselves.
void RowMaker::note_trades_before(const LogRecord& record, LogSource source,
                                  const ConnectionState& connection, LogState::StreamState& state,
                                  int64_t sequence) {
  if (state.gap_lsn == connection.last_gap_lsn) return;
  const auto last = state.tracker.last();
  // After a reconnect an exchange may repeat what it has sent.
  if (last && sequence <= *last) return;
  state.gap_lsn = connection.last_gap_lsn;
  // A symbol that has just come to this connection was received elsewhere while it was down.
  if (connection.last_gap_to_ns < state.last_row_ns) return;
  if (!last || sequence == *last + 1) return;
  if (sequence_class_of(source.venue, Stream::kTrade) != SequenceClass::kRising) return;
  TradeHole trades{.from = *last + 1,
                   .to = sequence - 1,
                   .search_from_ns = state.last_event_ns,
                   .connection = record.connection,
                   .cause = connection.gap_cause,
                   .from_ns = connection.last_gap_from_ns,
                   .to_ns = record.wall_time_ns};
  // One too old or too many remains a part of its connection's gap.
  static_cast<void>(state.holes.add(std::move(trades), state.last_row_ns, record.wall_time_ns));
}

/// A page, or how the search has ended. What is of no gap that is open is in the log only.
Status RowMaker::take_backfill(const LogRecord& record) {
  const auto source = decode_source(record.source);
  if (!source) {
    ++counts_.unknown_records;
    return {};
  }
  auto decoded = decode_log_event(text_of(record.payload), document_);
  if (!decoded) return quarantine(record, *source, decoded.error().message);
  LogEvent event = std::move(*decoded);
  LogState::StreamState* const state =
      event.symbols.size() == 1
          ? state_.stream(source->venue, Stream::kTrade, event.symbols.front())
          : nullptr;
  TradeHole* const hole =
      state == nullptr || !event.from_sequence || !event.to_sequence
          ? nullptr
          : state->holes.find_open(*event.from_sequence, *event.to_sequence, record.wall_time_ns);
  if (event.cause == kBackfillPage) {
    return hole == nullptr ? Status() : take_backfill_page(record, *source, event, *state, *hole);
  }
  if (hole != nullptr) {
    TW_TRY(take_backfill_end(record, *source, event, *state, *hole));
    event.count = static_cast<int64_t>(hole->row_count);
  }
  return write_event(record, name_of(LogKind::kBackfill), event,
                     event.symbols.size() == 1 ? event.symbols.front() : std::string());
}

Status RowMaker::take_backfill_page(const LogRecord& record, LogSource source,
                                    const LogEvent& event, LogState::StreamState& state,
                                    TradeHole& hole) {
  const std::string& symbol = event.symbols.front();
  if (const Status page = decode_trade_page(source.venue, symbol, event.detail, decoded_); !page) {
    return quarantine(record, source, page.error().message);
  }
  const bool is_contiguous =
      sequence_class_of(source.venue, Stream::kTrade) == SequenceClass::kContiguous;
  if (!decoded_.rows().empty()) {
    const auto paging = trade_history_rules_of(source.venue).paging;
    hole.begin_page(*decoded_.rows().front().sequence,
                    paging == TradeHistoryRules::Paging::kLatest);
  }
  int32_t frame_index = -1;
  for (EventRow& row : decoded_.rows()) {
    ++frame_index;
    const int64_t sequence = *row.sequence;
    if (sequence < hole.next || sequence > hole.to) continue;
    hole.next = sequence + 1;
    // It may have been received meanwhile, late.
    const bool is_there =
        is_contiguous ? !state.tracker.misses(sequence) : state.tracker.has_seen(sequence);
    if (is_there) {
      ++counts_.backfilled_again;
      continue;
    }
    if (const auto forgotten = state.tracker.fill(sequence)) {
      state.holes.give_up(forgotten->from, forgotten->to);
    }
    ++hole.row_count;
    ++counts_.backfilled[static_cast<size_t>(source.venue)];
    TW_TRY(take_row(record, source, LogKind::kBackfill, nullptr, frame_index, row));
  }
  return {};
}

Status RowMaker::take_backfill_end(const LogRecord& record, LogSource source, const LogEvent& event,
                                   LogState::StreamState& state, TradeHole& hole) {
  hole.is_over = true;
  const bool is_filled = event.cause == name_of(BackfillEnd::kFilled);
  if (!is_filled && hole.row_count == 0) return {};
  // Beyond the last row that came: there is none up to the end, or it is not known.
  if (is_filled) hole.next = hole.to + 1;
  const auto stream_class = sequence_class_of(source.venue, Stream::kTrade);
  std::optional<int64_t> missing_count;
  if (stream_class == SequenceClass::kContiguous) {
    missing_count = state.tracker.missing_count(hole.from, hole.to);
  }
  std::string detail = fmt::format("{}, rows fetched: {}", event.cause, hole.row_count);
  if (is_filled && missing_count.value_or(0) > 0) {
    detail += "; the exchange has none with the other numbers";
  } else if (!event.detail.empty()) {
    detail += "; " + event.detail;
  }
  return write_filled_gap(record, {source.venue, Stream::kTrade, event.symbols.front()}, hole,
                          missing_count, std::move(detail));
}

}  // namespace tapeworks::recorder
