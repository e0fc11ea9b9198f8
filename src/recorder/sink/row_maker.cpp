#include "recorder/sink/row_maker.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <nlohmann/json.hpp>

#include "recorder/sink/row_maker_internal.h"

namespace tapeworks::recorder {
namespace {

void put_levels(const std::array<Level, kLevelsMax>& levels, RowEncoder& out) {
  for (const Level& level : levels) {
    out.put(level.price);
    out.put(level.quantity);
  }
}

}  // namespace

Status RowMaker::take(const LogRecord& record) {
  derived_index_ = 0;
  if (record.kind == kLogKindStart) return take_log_start(record);
  if (state_.run_last_ns) state_.run_last_ns = record.wall_time_ns;
  const auto kind = find_log_kind(record.kind);
  if (!kind) {
    ++counts_.unknown_records;
    return {};
  }
  if (*kind == LogKind::kHeartbeat) return {};
  if (*kind == LogKind::kFrame) return take_frame(record);
  if (*kind == LogKind::kBackfill) return take_backfill(record);
  return take_event(record, *kind);
}

Status RowMaker::take(const LogHole& hole) {
  derived_index_ = 0;
  Gap gap;
  // Nothing else has this number, and it follows all rows before.
  gap.lsn = hole.first_missing_lsn + hole.missing_count - 1;
  gap.from_ns = state_.log_time_ns;
  gap.to_ns = state_.log_time_ns;
  gap.cause = "log_damage";
  gap.missing_count = static_cast<int64_t>(hole.missing_count);
  gap.detail =
      fmt::format("{}: records {} to {} are missing: {}", hole.segment, hole.first_missing_lsn,
                  hole.first_missing_lsn + hole.missing_count - 1, hole.reason);
  return write_gap(gap);
}

Status RowMaker::take_log_start(const LogRecord& record) {
  const auto start = parse_log_start(record.payload);
  if (!start || (start->last_lsn == 0 && start->floor_lsn == 0)) return {};
  // The first one of several that were killed before all of their connections were known.
  const auto killed_ns = std::exchange(state_.run_last_ns, std::nullopt);
  if (!state_.unknown_from_ns) state_.unknown_from_ns = killed_ns;
  for (auto& [number, connection] : state_.connections()) {
    if (!connection.connected()) continue;
    const Moment end = end_of_coverage(connection);
    connection.leg_connected = {};
    TW_TRY(begin_gap(record, number, connection, end, kProcessEndedCause));
  }
  return write_awaited_holes(record);
}

Status RowMaker::take_frame(const LogRecord& record) {
  const auto source = decode_source(record.source);
  if (!source) {
    ++counts_.unknown_records;
    return {};
  }
  ++counts_.frames;
  ConnectionState* const connection = state_.connection(record.connection);
  if (connection != nullptr) {
    connection->source = source;
    connection->last_record_ns = record.wall_time_ns;
    connection->leg_last_frames[source->leg] = moment_of(record);
  }
  const bool is_binary = (record.flags & kLogFlagBinary) != 0;
  const Frame frame{text_of(record.payload), is_binary ? Opcode::kBinary : Opcode::kText,
                    record.wall_time_ns};
  DecodeContext context;
  context.symbols = connection == nullptr ? nullptr : &connection->stream_symbols;
  context.max_time_skew = std::chrono::nanoseconds(state_.rules().max_time_skew_ns);
  if (const Status decoded = decode_frame(source->venue, frame, context, decoded_); !decoded) {
    return quarantine(record, *source, decoded.error().message);
  }
  count_frame_kind();
  if (decoded_.kind == FrameKind::kPlaceholder) {
    return take_placeholder(record, *source, connection);
  }
  if (decoded_.kind == FrameKind::kError || decoded_.kind == FrameKind::kShutdown) {
    LogEvent event;
    event.detail = decoded_.reply.message;
    event.count = decoded_.reply.code;
    return write_event(record, decoded_.kind == FrameKind::kError ? "error" : "shutdown", event,
                       "");
  }
  if (connection != nullptr && !decoded_.rows().empty()) {
    TW_TRY(take_speech(record, source->leg, *connection));
  }
  int32_t frame_index = 0;
  for (EventRow& row : decoded_.rows()) {
    TW_TRY(take_row(record, *source, LogKind::kFrame, connection, frame_index++, row));
  }
  return {};
}

void RowMaker::count_frame_kind() {
  const std::string_view kind = name_of(decoded_.kind);
  if (!decoded_.ignored_kind.empty()) {
    ++counts_.frame_kinds[fmt::format("{}:{}", kind, decoded_.ignored_kind)];
    return;
  }
  const auto known = counts_.frame_kinds.find(kind);
  ++(known == counts_.frame_kinds.end() ? counts_.frame_kinds[std::string(kind)] : known->second);
}

/// The event is what tells a reader of the files why no row has this number.
Status RowMaker::take_placeholder(const LogRecord& record, LogSource source,
                                  const ConnectionState* connection) {
  const SequenceMark& mark = decoded_.placeholder;
  bool keep = true;
  TW_TRY(take_sequence(record, source, connection, mark.stream, mark.symbol, mark.sequence, {}, 0,
                       keep));
  if (!keep) return {};
  LogEvent event;
  event.stream = mark.stream;
  event.count = mark.sequence;
  return write_event(record, "placeholder", event, mark.symbol);
}

Status RowMaker::take_row(const LogRecord& record, LogSource source, LogKind kind,
                          const ConnectionState* connection, int32_t frame_index, EventRow& row) {
  const bool is_backfill = kind == LogKind::kBackfill;
  const auto sent_ns = row.exchange_time_ns ? row.exchange_time_ns : row.event_time_ns;
  RowCounts::Leg& leg = counts_.legs[static_cast<size_t>(source.venue)][source.leg];
  if (sent_ns && !is_backfill) leg.exchange_to_receive.observe(record.wall_time_ns - *sent_ns);
  auto sampled = SampledLegs::Verdict::kTaken;
  if (!is_backfill && !has_merge_key(source.venue, row.stream)) {
    sampled = judge_sampled(record, source, connection, row);
  }
  if (sampled == SampledLegs::Verdict::kLeftOut) {
    ++counts_.standby_rows;
    return {};
  }
  // A late row stands behind later ones, and is no news for what follows numbers.
  if (row.sequence && !is_backfill && sampled == SampledLegs::Verdict::kTaken) {
    bool keep = true;
    const uint64_t fingerprint = drops_repeats(row.stream) ? row_fingerprint(row) : 0;
    TW_TRY(take_sequence(record, source, connection, row.stream, row.symbol, *row.sequence,
                         row.event_time_ns, fingerprint, keep));
    const bool has_copies = connection != nullptr && connection->leg_connected[0] &&
                            connection->leg_connected[1] && has_merge_key(source.venue, row.stream);
    if (has_copies) ++(keep ? leg.first_copies : leg.second_copies);
    if (!keep) return {};
  }
  const VenueName venue = name_of(source.venue);
  encoder_.begin();
  encoder_.put(record.lsn);
  encoder_.put(frame_index);
  encoder_.put(record.wall_time_ns);
  encoder_.put(row.event_time_ns);
  encoder_.put(row.exchange_time_ns);
  encoder_.put(venue.exchange);
  encoder_.put(venue.market);
  encoder_.put(std::string_view(row.symbol));
  encoder_.put(name_of(row.stream));
  encoder_.put(venue.transport);
  encoder_.put(int32_t{source.leg});
  encoder_.put(std::string_view(is_backfill ? kBackfillSource : kLiveSource));
  encoder_.put(row.sequence);
  encoder_.put_or_null(row.trade_id);
  if (row.side) {
    encoder_.put(name_of(*row.side));
  } else {
    encoder_.null();
  }
  encoder_.put(row.price);
  encoder_.put(row.quantity);
  if (row.quantity_unit) {
    encoder_.put(name_of(*row.quantity_unit));
  } else {
    encoder_.null();
  }
  put_levels(row.bids, encoder_);
  put_levels(row.asks, encoder_);
  encoder_.put(row.flags);
  encoder_.put_or_null(row.raw);
  ++counts_.rows;
  // An hour far in the future would not be over for years.
  const bool has_own_hour =
      is_backfill && row.event_time_ns &&
      *row.event_time_ns <= record.wall_time_ns + state_.rules().max_time_skew_ns;
  const int64_t time_ns = has_own_hour ? *row.event_time_ns : record.wall_time_ns;
  return target_.take(TableKind::kRows, {venue.exchange, venue.market, row.symbol}, time_ns,
                      encoder_.finish());
}

SampledLegs::Verdict RowMaker::judge_sampled(const LogRecord& record, LogSource source,
                                             const ConnectionState* connection,
                                             const EventRow& row) {
  using Verdict = SampledLegs::Verdict;
  if (connection == nullptr) return Verdict::kTaken;
  // What the active leg does not bring, because symbols have just been added or removed, is taken
  // from the one that does.
  const uint8_t active_leg = connection->is_brought_by(connection->active_leg, row.symbol)
                                 ? connection->active_leg
                                 : source.leg;
  const auto number = row.sequence ? row.sequence : row.event_time_ns;
  LogState::StreamState* const state =
      number ? state_.stream(source.venue, row.stream, row.symbol) : nullptr;
  if (state == nullptr) return active_leg == source.leg ? Verdict::kTaken : Verdict::kLeftOut;
  const LegMerge::Session active = connection->session_of(active_leg);
  const LegMerge::Session own = connection->session_of(source.leg);
  // A socket that is being closed brings what its peer has sent until it hears of that. One that
  // was opened later brings the same as soon as it has asked, and until then there is a gap.
  if (source.leg != active_leg && !connection->leg_connected[source.leg] &&
      connection->leg_connected[active_leg] && !connection->were_together(own, active)) {
    return Verdict::kLeftOut;
  }
  const auto& owner = state->sampled.owner();
  return state->sampled.judge({own, *number, record.monotonic_time_ns}, active,
                              owner && connection->were_together(*owner, active));
}

/// The exchange's time of a row when it lies a little before that of its record, which it is else:
/// a search that begins too early finds the same, and one that begins too late does not.
int64_t RowMaker::plausible_time(std::optional<int64_t> event_time_ns,
                                 const LogRecord& record) const {
  const int64_t age_ns = record.wall_time_ns - event_time_ns.value_or(record.wall_time_ns);
  const bool is_plausible = age_ns >= 0 && age_ns <= state_.rules().max_time_skew_ns;
  return record.wall_time_ns - (is_plausible ? age_ns : 0);
}

Status RowMaker::take_sequence(const LogRecord& record, LogSource source,
                               const ConnectionState* connection, Stream stream,
                               const std::string& symbol, int64_t sequence,
                               std::optional<int64_t> event_time_ns, uint64_t fingerprint,
                               bool& keep) {
  LogState::StreamState* const state = state_.stream(source.venue, stream, symbol);
  if (state == nullptr) return {};
  const uint64_t session_lsn = connection == nullptr ? 0 : connection->session_lsn;
  if (state->session_lsn != session_lsn) state->tracker.connection_changed();
  state->session_lsn = session_lsn;
  if (state->holes.covers(sequence, record.wall_time_ns) && !state->tracker.misses(sequence)) {
    // It was fetched, and comes after all.
    ++counts_.repeats;
    keep = false;
    if (sequence_class_of(source.venue, stream) == SequenceClass::kContiguous) return {};
    // A fetched copy has other values, so here only the number says so, and that is no proof.
    LogEvent event;
    event.stream = stream;
    event.count = sequence;
    return write_event(record, "backfill_repeat", event, symbol);
  }
  const int64_t last_row_ns = state->last_row_ns;
  const auto last_number = state->tracker.last();
  if (stream == Stream::kTrade && connection != nullptr) {
    note_trades_before(record, source, *connection, *state, sequence);
  }
  const LegMerge::Session session{
      source.leg, connection == nullptr ? 0 : connection->leg_session_lsns[source.leg]};
  const auto live_sessions =
      connection == nullptr ? std::array<uint64_t, 2>{} : connection->live_sessions();
  const auto other_copy = state->legs.other_copy(session, sequence);
  const SequenceFinding finding = state->tracker.observe(sequence, fingerprint, other_copy);
  // What is sent again after a reconnect is no sign that the stream was there meanwhile.
  if (state->tracker.last() != last_number) {
    state->last_row_ns = record.wall_time_ns;
    state->last_event_ns = plausible_time(event_time_ns, record);
  }
  if (finding.forgotten) state->holes.give_up(finding.forgotten->from, finding.forgotten->to);
  if (finding.kind == SequenceFinding::Kind::kReset) {
    state->legs.clear();
    state->holes.clear();
  }
  state->legs.note(session, sequence, record.lsn, live_sessions[1 - source.leg]);
  const LogState::StreamName name{source.venue, stream, symbol};
  if (state->legs.has_holes()) {
    const bool is_awaited =
        finding.kind == SequenceFinding::Kind::kLate && state->legs.fill(sequence);
    for (const auto& hole : state->legs.take_lost(session, sequence, live_sessions)) {
      TW_TRY(write_hole(record, record.connection, name, hole, last_row_ns));
    }
    // Nobody was told that it was missing.
    if (is_awaited) return {};
  }
  switch (finding.kind) {
    case SequenceFinding::Kind::kInOrder:
      return {};
    case SequenceFinding::Kind::kEarlier: {
      const bool is_whole = finding.missing_from > finding.missing_to;
      if (is_whole || state->legs.await_between(session, finding)) return {};
      return write_hole(record, record.connection, name,
                        {finding.missing_from, finding.missing_to, session, false}, last_row_ns);
    }
    case SequenceFinding::Kind::kRepeat:
      ++counts_.repeats;
      keep = false;
      return {};
    case SequenceFinding::Kind::kHole: {
      if (state->legs.await(session, live_sessions[1 - source.leg], finding)) return {};
      return write_hole(
          record, record.connection, name,
          {finding.missing_from, finding.missing_to, session, finding.across_connections},
          last_row_ns);
    }
    case SequenceFinding::Kind::kLate:
    case SequenceFinding::Kind::kReset: {
      const bool is_reset = finding.kind == SequenceFinding::Kind::kReset;
      // Where numbers are skipped in any case, a leg that is behind is no news.
      const bool fills_hole = sequence_class_of(source.venue, stream) == SequenceClass::kContiguous;
      if (!is_reset && !fills_hole) return {};
      if (is_reset) ++counts_.resets;
      LogEvent event;
      event.stream = stream;
      event.count = sequence;
      return write_event(record, is_reset ? "sequence_reset" : "sequence_late", event, symbol);
    }
  }
  return {};
}

Status RowMaker::write_hole(const LogRecord& record, uint32_t connection,
                            const LogState::StreamName& stream, const LegMerge::OpenHole& hole,
                            int64_t began_ns) {
  ++counts_.holes;
  Gap gap;
  gap.lsn = record.lsn;
  gap.venue = stream.venue;
  gap.connection = connection;
  gap.to_ns = record.wall_time_ns;
  gap.cause = hole.across_connections ? "reconnect" : "sequence_hole";
  gap.symbol = stream.symbol;
  gap.stream = stream.stream;
  gap.sequence_class = name_of(sequence_class_of(stream.venue, stream.stream));
  gap.from_sequence = hole.from;
  gap.to_sequence = hole.to;
  gap.missing_count = hole.to - hole.from + 1;
  LogState::StreamState* const state = state_.stream(stream.venue, stream.stream, stream.symbol);
  if (state != nullptr) {
    TradeHole trades{.from = hole.from,
                     .to = hole.to,
                     .search_from_ns = began_ns,
                     .connection = connection,
                     .cause = std::string(gap.cause),
                     .from_ns = {},
                     .to_ns = gap.to_ns};
    // One too old or too many remains what it is now, a gap.
    static_cast<void>(state->holes.add(std::move(trades), began_ns, record.wall_time_ns));
  }
  return write_gap(gap);
}

/// What was fetched of a gap takes its place in certificates; in `_gaps` it is another row.
Status RowMaker::write_filled_gap(const LogRecord& record, const LogState::StreamName& stream,
                                  const TradeHole& hole, std::optional<int64_t> missing_count,
                                  std::string detail) {
  Gap gap;
  gap.lsn = record.lsn;
  gap.venue = stream.venue;
  gap.connection = hole.connection;
  gap.from_ns = hole.from_ns;
  gap.to_ns = hole.to_ns;
  gap.cause = hole.cause;
  gap.symbol = stream.symbol;
  gap.stream = stream.stream;
  gap.sequence_class = name_of(sequence_class_of(stream.venue, stream.stream));
  gap.from_sequence = hole.from;
  gap.to_sequence = hole.to;
  if (missing_count) {
    gap.missing_count = hole.to - hole.from + 1;
    state_.remove_gap(gap_json(gap));
  }
  gap.missing_count = missing_count;
  gap.filled_by = "rest";
  gap.detail = std::move(detail);
  return write_gap(gap);
}

/// Nobody will fill them any more. In the order of their streams, because replay must give the
/// same.
Status RowMaker::write_awaited_holes(const LogRecord& record) {
  std::vector<std::string> keys;
  for (const auto& [key, stream] : state_.streams()) {
    if (stream->legs.has_holes()) keys.push_back(key);
  }
  std::ranges::sort(keys);
  for (const std::string& key : keys) {
    LogState::StreamState& stream = *state_.streams().find(key)->second;
    for (const auto& hole : stream.legs.take_all()) {
      TW_TRY(write_hole(record, 0, LogState::name_of_key(key), hole, stream.last_row_ns));
    }
  }
  return {};
}

Status RowMaker::take_event(const LogRecord& record, LogKind kind) {
  auto decoded = decode_log_event(text_of(record.payload), document_);
  const auto source = decode_source(record.source);
  if (!decoded) {
    return quarantine(record, source.value_or(LogSource()), decoded.error().message);
  }
  const LogEvent& event = *decoded;
  if (kind == LogKind::kRestReply && event.cause == "instruments") {
    TW_TRY(take_instruments(record, event));
    // What is said of one instrument has a row of its own, and that is enough.
    if (event.symbols.size() == 1) return {};
  }
  // Number 0 is no connection: these events are of a market.
  const bool has_connection = source && record.connection != 0;
  ConnectionState* const connection =
      has_connection ? state_.connection(record.connection) : nullptr;
  if (connection != nullptr) TW_TRY(take_over_number(record, *source, *connection));
  if (connection != nullptr && kind == LogKind::kSubscription) {
    for (const std::string& symbol : event.symbols) connection->subscribe(symbol);
    connection->leg_symbols[source->leg] = {event.symbols.begin(), event.symbols.end()};
  }
  if (connection != nullptr && kind == LogKind::kConnect) {
    TW_TRY(take_connect(record, event, *connection));
  }
  if (connection != nullptr && kind == LogKind::kLegSwitch) {
    TW_TRY(take_leg_switch(record, *source, event, *connection));
  }
  if (connection != nullptr && kind == LogKind::kDisconnect) {
    TW_TRY(take_disconnect(record, source->leg, event, *connection));
  }
  // Of events only a connect says that something can be received.
  if (connection != nullptr && kind == LogKind::kConnect) {
    connection->last_record_ns = record.wall_time_ns;
  }
  if (kind == LogKind::kConfiguration && event.rules) state_.set_rules(*event.rules);
  if (kind == LogKind::kStart) state_.run_last_ns = record.wall_time_ns;
  if (kind == LogKind::kStop) {
    state_.run_last_ns.reset();
    for (auto& [number, other] : state_.connections()) {
      if (!other.connected()) continue;
      other.leg_connected = {};
      TW_TRY(begin_gap(record, number, other, moment_of(record), kStoppedCause));
    }
    TW_TRY(write_awaited_holes(record));
  }
  if (connection != nullptr && kind == LogKind::kNotice && event.cause == kAnsweredCause) {
    TW_TRY(take_all_answered(record, source->leg, *connection));
  }
  if (kind == LogKind::kNotice && !source && event.cause == kConnectionNumbers && event.count) {
    TW_TRY(take_numbers(record, *event.count));
  }
  if (kind == LogKind::kDrop) {
    Gap gap;
    gap.lsn = record.lsn;
    gap.venue = venue_of(source);
    gap.connection = record.connection;
    gap.from_ns = event.from_time_ns.value_or(record.wall_time_ns);
    gap.to_ns = event.to_time_ns.value_or(record.wall_time_ns);
    gap.cause = "dropped";
    gap.stream = event.stream;
    gap.missing_count = event.count;
    gap.detail = event.detail;
    TW_TRY(write_gap(gap));
  }
  if (connection != nullptr && kind == LogKind::kSymbol && event.cause == kRemovedCause) {
    TW_TRY(take_removed(record, event, *connection));
  }
  const std::string symbol = event.symbols.size() == 1 ? event.symbols.front() : std::string();
  return write_event(record, name_of(kind), event, symbol);
}

Status RowMaker::take_instruments(const LogRecord& record, const LogEvent& event) {
  const auto source = decode_source(record.source);
  InstrumentFacts facts;
  // A list that could not be had, or an entry in a form of a later day: the columns stay null, and
  // the detail says what there was.
  if (source && event.symbols.size() == 1 && document_.parse(event.detail)) {
    facts = decode_instrument(source->venue, document_.root()).value_or(InstrumentFacts());
  }
  encoder_.begin();
  encoder_.put(record.lsn);
  encoder_.put(derived_index_++);
  encoder_.put(record.wall_time_ns);
  encoder_.put_or_null(event.symbols.size() == 1 ? event.symbols.front() : std::string_view());
  encoder_.put_or_null(facts.status);
  encoder_.put(facts.multiplier);
  encoder_.put(facts.price_tick);
  encoder_.put(facts.quantity_step);
  encoder_.put_or_null(event.detail);
  return target_.take(TableKind::kInstruments, partition_name(venue_of(source), ""),
                      record.wall_time_ns, encoder_.finish());
}

Status RowMaker::write_event(const LogRecord& record, std::string_view name, const LogEvent& event,
                             std::string_view symbol) {
  const auto source = decode_source(record.source);
  encoder_.begin();
  encoder_.put(record.lsn);
  encoder_.put(derived_index_++);
  encoder_.put(record.wall_time_ns);
  encoder_.put(name);
  encoder_.put(int64_t{record.connection});
  encoder_.put(int32_t{source ? source->leg : uint8_t{0}});
  encoder_.put_or_null(symbol);
  encoder_.put_or_null(event.stream ? name_of(*event.stream) : std::string_view());
  encoder_.put_or_null(event.cause);
  encoder_.put(event.count);
  encoder_.put_or_null(event.detail);
  return target_.take(TableKind::kEvents, partition_name(venue_of(source), ""), record.wall_time_ns,
                      encoder_.finish());
}

std::string RowMaker::gap_json(const Gap& gap) {
  nlohmann::ordered_json json{{"cause", gap.cause}, {"connection", gap.connection}};
  if (gap.from_ns) json["from_time"] = *gap.from_ns;
  json["to_time"] = gap.to_ns;
  if (!gap.symbol.empty()) json["symbol"] = gap.symbol;
  if (gap.stream) json["stream"] = name_of(*gap.stream);
  if (gap.from_sequence) json["from_sequence"] = *gap.from_sequence;
  if (gap.to_sequence) json["to_sequence"] = *gap.to_sequence;
  if (gap.missing_count) json["missing_count"] = *gap.missing_count;
  if (!gap.filled_by.empty()) json["filled_by"] = gap.filled_by;
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Status RowMaker::write_gap(const Gap& gap) {
  ++counts_.gaps;
  encoder_.begin();
  encoder_.put(gap.lsn);
  encoder_.put(derived_index_++);
  encoder_.put(gap.from_ns);
  encoder_.put(gap.to_ns);
  encoder_.put(gap.cause);
  encoder_.put(int64_t{gap.connection});
  encoder_.put_or_null(gap.symbol);
  encoder_.put_or_null(gap.stream ? name_of(*gap.stream) : std::string_view());
  encoder_.put_or_null(gap.sequence_class);
  encoder_.put(gap.from_sequence);
  encoder_.put(gap.to_sequence);
  encoder_.put(gap.missing_count);
  encoder_.put_or_null(gap.filled_by);
  encoder_.put_or_null(gap.detail);

  state_.add_gap({gap.venue, std::string(gap.symbol), gap.from_ns.value_or(gap.to_ns), gap.to_ns,
                  gap_json(gap)});
  return target_.take(TableKind::kGaps, partition_name(gap.venue, ""), gap.to_ns,
                      encoder_.finish());
}

Status RowMaker::quarantine(const LogRecord& record, LogSource source, std::string_view reason) {
  ++counts_.quarantined;
  const VenueName venue = name_of(source.venue);
  encoder_.begin();
  encoder_.put(record.lsn);
  encoder_.put(derived_index_++);
  encoder_.put(record.wall_time_ns);
  encoder_.put(int64_t{record.connection});
  encoder_.put(int32_t{source.leg});
  encoder_.put(venue.transport);
  encoder_.put(reason);
  encoder_.put(int32_t{(record.flags & kLogFlagBinary) != 0});
  encoder_.put(text_of(record.payload));
  return target_.take(TableKind::kQuarantine, {venue.exchange, venue.market, {}},
                      record.wall_time_ns, encoder_.finish());
}

}  // namespace tapeworks::recorder
