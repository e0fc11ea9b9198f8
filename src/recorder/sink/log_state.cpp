#include "recorder/sink/log_state.h"

#include <algorithm>
#include <tuple>

namespace tapeworks::recorder {
namespace {

/// Venue and stream as a byte each, and the symbol.
void make_stream_key(Venue venue, Stream stream, std::string_view symbol, std::string& key) {
  key.assign({static_cast<char>(venue), static_cast<char>(stream)});
  key += symbol;
}

void save_time(const std::optional<int64_t>& time_ns, ByteWriter& out) {
  out.put(uint8_t{time_ns.has_value()});
  out.put(time_ns.value_or(0));
}

std::optional<int64_t> load_time(ByteReader& in) {
  const bool has_time = in.take_flag();
  const auto time_ns = in.take<int64_t>();
  return has_time ? std::optional(time_ns) : std::nullopt;
}

void save_moment(const Moment& moment, ByteWriter& out) {
  out.put(moment.lsn);
  out.put(moment.time_ns);
}

Moment load_moment(ByteReader& in) {
  const auto lsn = in.take<uint64_t>();
  return {lsn, in.take<int64_t>()};
}

void save_connection(uint32_t number, const ConnectionState& connection, ByteWriter& out) {
  out.put(number);
  out.put(connection.source ? encode_source(*connection.source) : kNoSource);
  for (const bool connected : connection.leg_connected) out.put(uint8_t{connected});
  out.put(connection.active_leg);
  out.put(connection.session_lsn);
  out.put(connection.last_record_ns);
  save_time(connection.gap_from_ns, out);
  out.put(connection.gap_cause);
  out.put(static_cast<uint32_t>(connection.symbols.size()));
  for (const std::string& symbol : connection.symbols) out.put(symbol);
}

ConnectionState load_connection(ByteReader& in) {
  ConnectionState connection;
  connection.source = decode_source(in.take<uint16_t>());
  for (bool& connected : connection.leg_connected) connected = in.take_flag();
  connection.active_leg = in.take_flag() ? 1 : 0;
  connection.session_lsn = in.take<uint64_t>();
  connection.last_record_ns = in.take<int64_t>();
  connection.gap_from_ns = load_time(in);
  connection.gap_cause = in.take_text();
  const size_t symbol_count = in.take_count(sizeof(uint32_t));
  for (size_t i = 0; i < symbol_count; ++i) connection.subscribe(in.take_text());
  return connection;
}

template <typename Pairs>
void save_pairs(const Pairs& pairs, ByteWriter& out) {
  out.put(static_cast<uint32_t>(pairs.size()));
  for (const auto& [first, second] : pairs) {
    out.put(first);
    out.put(second);
  }
}

template <typename First, typename Second>
void load_pairs(ByteReader& in, std::vector<std::pair<First, Second>>& pairs) {
  const size_t count = in.take_count(sizeof(First) + sizeof(Second));
  pairs.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const auto first = in.take<First>();
    pairs.emplace_back(first, in.take<Second>());
  }
}

void save_tracker(const SequenceTracker& tracker, ByteWriter& out) {
  const SequenceTracker::Snapshot snapshot = tracker.snapshot();
  out.put(uint8_t{snapshot.any});
  out.put(uint8_t{snapshot.connection_changed});
  out.put(snapshot.last);
  save_pairs(snapshot.window, out);
  save_pairs(snapshot.holes, out);
}

void load_tracker(ByteReader& in, SequenceTracker& tracker) {
  SequenceTracker::Snapshot snapshot;
  snapshot.any = in.take_flag();
  snapshot.connection_changed = in.take_flag();
  snapshot.last = in.take<int64_t>();
  load_pairs(in, snapshot.window);
  load_pairs(in, snapshot.holes);
  tracker.restore(snapshot);
}

void save_gap(const KnownGap& gap, ByteWriter& out) {
  out.put(gap.venue ? encode_source({*gap.venue, 0}) : kNoSource);
  out.put(gap.symbol);
  out.put(gap.from_ns);
  out.put(gap.to_ns);
  out.put(gap.json);
}

KnownGap load_gap(ByteReader& in) {
  KnownGap gap;
  if (const auto source = decode_source(in.take<uint16_t>())) gap.venue = source->venue;
  gap.symbol = in.take_text();
  gap.from_ns = in.take<int64_t>();
  gap.to_ns = in.take<int64_t>();
  gap.json = in.take_text();
  return gap;
}

}  // namespace

void ConnectionState::subscribe(const std::string& symbol) {
  if (std::ranges::find(symbols, symbol) != symbols.end()) return;
  symbols.push_back(symbol);
  stream_symbols.add(symbol);
}

void ConnectionState::unsubscribe(const std::string& symbol) {
  std::erase(symbols, symbol);
  stream_symbols.remove(symbol);
}

bool ConnectionState::were_together(const LegMerge::Session& one,
                                    const LegMerge::Session& other) const {
  if (one.leg == other.leg) return false;
  const auto has_met = [this](const LegMerge::Session& later, const LegMerge::Session& earlier) {
    return earlier.lsn != 0 && session_of(later.leg) == later &&
           leg_partner_lsns[later.leg] == earlier.lsn;
  };
  return has_met(one, other) || has_met(other, one);
}

ConnectionState* LogState::connection(uint32_t number) {
  const auto found = connections_.find(number);
  if (found != connections_.end()) return &found->second;
  if (connections_.size() == kConnectionsMax) return nullptr;
  return &connections_[number];
}

LogState::StreamState* LogState::stream(Venue venue, Stream stream, std::string_view symbol) {
  make_stream_key(venue, stream, symbol, key_);
  const auto found = streams_.find(key_);
  if (found != streams_.end()) return found->second.get();
  if (streams_.size() == kStreamsMax) return nullptr;
  const size_t window_rows =
      drops_repeats(stream) ? static_cast<size_t>(rules_.dedupe_window_rows) : 0;
  const SequenceTracker tracker(sequence_class_of(venue, stream), window_rows);
  auto made = std::make_unique<StreamState>(StreamState{tracker, 0, {}, {}, {}, 0, 0, 0});
  return streams_.emplace(key_, std::move(made)).first->second.get();
}

LogState::StreamName LogState::name_of_key(std::string_view key) {
  return {static_cast<Venue>(key[0]), static_cast<Stream>(key[1]), key.substr(2)};
}

void LogState::save_legs(ByteWriter& out) const {
  out.put(static_cast<uint32_t>(connections_.size()));
  for (const auto& [number, connection] : connections_) {
    out.put(number);
    for (size_t leg = 0; leg < connection.leg_symbols.size(); ++leg) {
      out.put(connection.leg_session_lsns[leg]);
      out.put(static_cast<uint32_t>(connection.leg_symbols[leg].size()));
      for (const std::string& symbol : connection.leg_symbols[leg]) out.put(symbol);
    }
  }
  out.put(static_cast<uint32_t>(streams_.size()));
  for (const auto& [key, stream] : streams_) {
    out.put(key);
    out.put(stream->tracker.forgotten_to());
    stream->legs.save(out);
  }
}

void LogState::load_legs(ByteReader& in) {
  const size_t connection_count = in.take_count(4 + 2 * (8 + 4));
  for (size_t i = 0; i < connection_count; ++i) {
    const auto found = connections_.find(in.take<uint32_t>());
    ConnectionState unknown;
    ConnectionState& connection = found == connections_.end() ? unknown : found->second;
    for (size_t leg = 0; leg < connection.leg_symbols.size(); ++leg) {
      connection.leg_session_lsns[leg] = in.take<uint64_t>();
      const size_t symbol_count = in.take_count(sizeof(uint32_t));
      for (size_t k = 0; k < symbol_count; ++k) connection.leg_symbols[leg].insert(in.take_text());
    }
  }
  const size_t stream_count = in.take_count(4 + 8 + LegMerge::kBytesMin);
  for (size_t i = 0; i < stream_count; ++i) {
    const auto stream = streams_.find(in.take_text());
    const auto forgotten_to = in.take<int64_t>();
    LegMerge legs = LegMerge::load(in);
    if (stream == streams_.end()) continue;
    stream->second->tracker.set_forgotten_to(forgotten_to);
    stream->second->legs = std::move(legs);
  }
}

void LogState::save_sampled(ByteWriter& out) const {
  out.put(static_cast<uint32_t>(connections_.size()));
  for (const auto& [number, connection] : connections_) {
    out.put(number);
    for (const uint64_t partner_lsn : connection.leg_partner_lsns) out.put(partner_lsn);
  }
  out.put(static_cast<uint32_t>(streams_.size()));
  for (const auto& [key, stream] : streams_) {
    out.put(key);
    stream->sampled.save(out);
  }
}

void LogState::load_sampled(ByteReader& in) {
  const size_t connection_count = in.take_count(4 + 2 * 8);
  for (size_t i = 0; i < connection_count; ++i) {
    const auto found = connections_.find(in.take<uint32_t>());
    std::array<uint64_t, 2> lsns{};
    for (uint64_t& partner_lsn : lsns) partner_lsn = in.take<uint64_t>();
    if (found != connections_.end()) found->second.leg_partner_lsns = lsns;
  }
  const size_t stream_count = in.take_count(4 + SampledLegs::kBytesMin);
  for (size_t i = 0; i < stream_count; ++i) {
    const auto stream = streams_.find(in.take_text());
    const SampledLegs sampled = SampledLegs::load(in);
    if (stream != streams_.end()) stream->second->sampled = sampled;
  }
}

void LogState::save_floors(ByteWriter& out) const {
  out.put(static_cast<uint32_t>(streams_.size()));
  for (const auto& [key, stream] : streams_) {
    out.put(key);
    stream->sampled.save_floors(out);
  }
}

void LogState::load_floors(ByteReader& in) {
  const size_t stream_count = in.take_count(4 + SampledLegs::kFloorBytes);
  for (size_t i = 0; i < stream_count; ++i) {
    const auto stream = streams_.find(in.take_text());
    SampledLegs unknown;
    (stream == streams_.end() ? unknown : stream->second->sampled).load_floors(in);
  }
}

void LogState::save_leg_times(ByteWriter& out) const {
  out.put(static_cast<uint32_t>(connections_.size()));
  for (const auto& [number, connection] : connections_) {
    out.put(number);
    for (const int64_t time_ns : connection.leg_last_row_ns) out.put(time_ns);
  }
}

void LogState::load_leg_times(ByteReader& in) {
  const size_t connection_count = in.take_count(4 + 2 * 8);
  for (size_t i = 0; i < connection_count; ++i) {
    const auto found = connections_.find(in.take<uint32_t>());
    std::array<int64_t, 2> times_ns{};
    for (int64_t& time_ns : times_ns) time_ns = in.take<int64_t>();
    if (found != connections_.end()) found->second.leg_last_row_ns = times_ns;
  }
}

void LogState::save_holes(ByteWriter& out) const {
  out.put(static_cast<uint32_t>(connections_.size()));
  for (const auto& [number, connection] : connections_) {
    out.put(number);
    out.put(connection.last_gap_lsn);
    out.put(connection.last_gap_from_ns);
  }
  out.put(static_cast<uint32_t>(streams_.size()));
  for (const auto& [key, stream] : streams_) {
    out.put(key);
    out.put(stream->last_row_ns);
    out.put(stream->gap_lsn);
    stream->holes.save(out);
  }
}

void LogState::load_holes(ByteReader& in) {
  const size_t connection_count = in.take_count(4 + 8 + 8);
  for (size_t i = 0; i < connection_count; ++i) {
    const auto found = connections_.find(in.take<uint32_t>());
    ConnectionState unknown;
    ConnectionState& connection = found == connections_.end() ? unknown : found->second;
    connection.last_gap_lsn = in.take<uint64_t>();
    connection.last_gap_from_ns = in.take<int64_t>();
    connection.last_gap_to_ns = log_time_ns;  // at the latest, as far as an earlier version knew
  }
  const size_t stream_count = in.take_count(4 + 8 + 8 + TradeHoles::kBytesMin);
  for (size_t i = 0; i < stream_count; ++i) {
    const auto stream = streams_.find(in.take_text());
    const auto last_row_ns = in.take<int64_t>();
    const auto gap_lsn = in.take<uint64_t>();
    TradeHoles holes = TradeHoles::load(in);
    if (stream == streams_.end()) continue;
    stream->second->last_row_ns = last_row_ns;
    stream->second->last_event_ns = last_row_ns;  // as far as an earlier version knew
    stream->second->gap_lsn = gap_lsn;
    stream->second->holes = std::move(holes);
  }
}

void LogState::save_hole_bounds(ByteWriter& out) const {
  out.put(static_cast<uint32_t>(connections_.size()));
  for (const auto& [number, connection] : connections_) {
    out.put(number);
    out.put(connection.last_gap_to_ns);
  }
  out.put(static_cast<uint32_t>(streams_.size()));
  for (const auto& [key, stream] : streams_) {
    out.put(key);
    out.put(stream->last_event_ns);
    stream->holes.save_bounds(out);
  }
}

void LogState::load_hole_bounds(ByteReader& in) {
  const size_t connection_count = in.take_count(4 + 8);
  for (size_t i = 0; i < connection_count; ++i) {
    const auto found = connections_.find(in.take<uint32_t>());
    const auto to_ns = in.take<int64_t>();
    if (found != connections_.end()) found->second.last_gap_to_ns = to_ns;
  }
  const size_t stream_count = in.take_count(4 + 8 + TradeHoles::kBytesMin);
  for (size_t i = 0; i < stream_count; ++i) {
    const auto stream = streams_.find(in.take_text());
    const auto last_event_ns = in.take<int64_t>();
    if (stream != streams_.end()) stream->second->last_event_ns = last_event_ns;
    TradeHoles unknown;
    (stream == streams_.end() ? unknown : stream->second->holes).load_bounds(in);
  }
}

void LogState::save_answers(ByteWriter& out) const {
  out.put(static_cast<uint32_t>(connections_.size()));
  for (const auto& [number, connection] : connections_) {
    out.put(number);
    for (const bool awaits : connection.leg_awaits_answers) out.put(uint8_t{awaits});
    for (const Moment& frame : connection.leg_last_frames) save_moment(frame, out);
    for (const Moment& answer : connection.leg_answers) save_moment(answer, out);
    save_moment(connection.subscribing_from.value_or(Moment()), out);
  }
  out.put(static_cast<uint32_t>(streams_.size()));
  for (const auto& [key, stream] : streams_) {
    out.put(key);
    out.put(stream->tracker.first());
    stream->legs.save_begins(out);
  }
}

void LogState::load_answers(ByteReader& in) {
  const size_t connection_count = in.take_count(4 + 2 * 1 + 5 * (8 + 8));
  for (size_t i = 0; i < connection_count; ++i) {
    const auto found = connections_.find(in.take<uint32_t>());
    ConnectionState unknown;
    ConnectionState& connection = found == connections_.end() ? unknown : found->second;
    for (bool& awaits : connection.leg_awaits_answers) awaits = in.take_flag();
    for (Moment& frame : connection.leg_last_frames) frame = load_moment(in);
    for (Moment& answer : connection.leg_answers) answer = load_moment(in);
    const Moment subscribing_from = load_moment(in);
    if (subscribing_from.lsn != 0) connection.subscribing_from = subscribing_from;
  }
  const size_t stream_count = in.take_count(4 + 8 + LegMerge::kBeginBytes);
  for (size_t i = 0; i < stream_count; ++i) {
    const auto stream = streams_.find(in.take_text());
    const auto first = in.take<int64_t>();
    LegMerge unknown;
    (stream == streams_.end() ? unknown : stream->second->legs).load_begins(in);
    if (stream != streams_.end()) stream->second->tracker.set_first(first);
  }
}

void LogState::save_run(ByteWriter& out) const {
  save_time(run_last_ns, out);
  save_time(unknown_from_ns, out);
}

void LogState::load_run(ByteReader& in) {
  run_last_ns = load_time(in);
  unknown_from_ns = load_time(in);
}

/// Of the few streams that have such.
void LogState::save_earlier_sessions(ByteWriter& out) const {
  out.put(static_cast<uint32_t>(std::ranges::count_if(
      streams_, [](const auto& named) { return named.second->legs.has_earlier(); })));
  for (const auto& [key, stream] : streams_) {
    if (!stream->legs.has_earlier()) continue;
    out.put(key);
    stream->legs.save_earlier(out);
  }
}

void LogState::load_earlier_sessions(ByteReader& in) {
  const size_t stream_count = in.take_count(4 + LegMerge::kEarlierBytesMin);
  for (size_t i = 0; i < stream_count; ++i) {
    const auto stream = streams_.find(in.take_text());
    LegMerge unknown;
    (stream == streams_.end() ? unknown : stream->second->legs).load_earlier(in);
  }
}

void LogState::save_rules(ByteWriter& out) const {
  out.put(rules_.grace_ns);
  out.put(rules_.row_group_rows);
  out.put(rules_.max_time_skew_ns);
}

void LogState::load_rules(ByteReader& in) {
  rules_.grace_ns = in.take<int64_t>();
  rules_.row_group_rows = in.take<int64_t>();
  rules_.max_time_skew_ns = in.take<int64_t>();
}

void LogState::set_rules(const RowRules& rules) {
  const int64_t window_rows =
      streams_.empty() ? rules.dedupe_window_rows : rules_.dedupe_window_rows;
  rules_ = rules;
  rules_.dedupe_window_rows = window_rows;
}

void LogState::guess_run() {
  const bool is_running = std::ranges::any_of(
      connections_, [](const auto& numbered) { return numbered.second.connected(); });
  if (is_running) run_last_ns = log_time_ns;
}

std::vector<TradeGap> LogState::open_trade_gaps(const std::set<Venue>& venues,
                                                size_t count_max) const {
  std::vector<TradeGap> gaps;
  if (venues.empty()) return gaps;
  for (const auto& [key, stream] : streams_) {
    const StreamName name = name_of_key(key);
    if (stream->holes.holes().empty() || !venues.contains(name.venue)) continue;
    for (const TradeHole& hole : stream->holes.holes()) {
      if (!TradeHoles::is_open(hole, log_time_ns)) continue;
      gaps.push_back({name.venue, std::string(name.symbol), hole.from, hole.to, hole.search_from_ns,
                      hole.to_ns, hole.next});
    }
  }
  std::ranges::sort(gaps, [](const TradeGap& one, const TradeGap& other) {
    return std::tie(one.to_ns, one) < std::tie(other.to_ns, other);
  });
  // So that a venue with many leaves room for the others.
  std::map<Venue, size_t> counts;
  std::erase_if(gaps, [&](const TradeGap& gap) { return ++counts[gap.venue] > count_max; });
  return gaps;
}

void LogState::add_gap(KnownGap gap) {
  if (gaps_.size() == kGapsMax) gaps_.pop_front();
  gaps_.push_back(std::move(gap));
}

void LogState::remove_gap(const std::string& json) {
  std::erase_if(gaps_, [&](const KnownGap& gap) { return gap.json == json; });
}

void LogState::forget_gaps_before(int64_t time_ns) {
  std::erase_if(gaps_, [&](const KnownGap& gap) { return gap.to_ns < time_ns; });
}

void LogState::save(ByteWriter& out) const {
  out.put(lsn);
  out.put(log_time_ns);
  out.put(whole_from_ns);
  out.put(static_cast<uint64_t>(rules_.dedupe_window_rows));
  out.put(static_cast<uint32_t>(connections_.size()));
  for (const auto& [number, connection] : connections_) save_connection(number, connection, out);
  out.put(static_cast<uint32_t>(streams_.size()));
  for (const auto& [key, stream] : streams_) {
    out.put(key);
    out.put(stream->session_lsn);
    save_tracker(stream->tracker, out);
  }
  out.put(static_cast<uint32_t>(gaps_.size()));
  for (const KnownGap& gap : gaps_) save_gap(gap, out);
}

size_t LogState::bytes_about(size_t (*of_tracker)(const SequenceTracker&)) const {
  constexpr size_t kSymbolBytes = 32;
  constexpr size_t kHoleBytes = 128;
  constexpr size_t kBlockBytes = 512;  // of numbers and names
  size_t bytes = (connections_.size() + streams_.size() + gaps_.size() + 1) * kBlockBytes;
  for (const auto& [number, connection] : connections_) {
    // Of the connection and of both legs.
    bytes += 3 * connection.symbols.size() * kSymbolBytes;
  }
  for (const auto& [key, stream] : streams_) {
    bytes += of_tracker(stream->tracker) + stream->holes.holes().size() * kHoleBytes;
  }
  return bytes;
}

size_t LogState::saved_bytes_about() const {
  return bytes_about([](const SequenceTracker& tracker) {
    constexpr size_t kPairBytes = 16;
    return tracker.pair_count() * kPairBytes;
  });
}

size_t LogState::memory_bytes_about() const {
  return bytes_about([](const SequenceTracker& tracker) { return tracker.memory_bytes(); });
}

Result<LogState> LogState::load(ByteReader& in, std::optional<int64_t> dedupe_window_rows) {
  const auto lsn = in.take<uint64_t>();
  const auto log_time_ns = in.take<int64_t>();
  const auto whole_from_ns = in.take<int64_t>();
  const auto window_rows = in.take<uint64_t>();
  RowRules rules;
  rules.dedupe_window_rows = static_cast<int64_t>(window_rows);
  LogState state(rules);
  state.lsn = lsn;
  state.log_time_ns = log_time_ns;
  state.whole_from_ns = whole_from_ns;
  if (in.ok() && dedupe_window_rows && rules.dedupe_window_rows != *dedupe_window_rows) {
    return invalid_argument(
        "the checkpoint was made with a dedupe_window of {} rows, not {}; it decides about rows "
        "and must stay while a recording goes on",
        window_rows, *dedupe_window_rows);
  }
  constexpr size_t kConnectionBytesMin = 4 + 2 + 1 + 8 + 8 + 1 + 8 + 4 + 4;
  const size_t connection_count = in.take_count(kConnectionBytesMin);
  for (size_t i = 0; i < connection_count; ++i) {
    const auto number = in.take<uint32_t>();
    state.connections_[number] = load_connection(in);
  }
  constexpr size_t kStreamBytesMin = 4 + 2 + 8 + 1 + 1 + 8 + 4 + 4;
  const size_t stream_count = in.take_count(kStreamBytesMin);
  for (size_t i = 0; i < stream_count; ++i) {
    const std::string key = in.take_text();
    const auto session_lsn = in.take<uint64_t>();
    const bool is_known = key.size() >= 2 && static_cast<size_t>(key[0]) < kVenues.size() &&
                          static_cast<size_t>(key[1]) < kStreams.size();
    StreamState* const stream =
        is_known ? state.stream(static_cast<Venue>(key[0]), static_cast<Stream>(key[1]),
                                std::string_view(key).substr(2))
                 : nullptr;
    if (stream == nullptr) return corrupt("a stream is unknown");
    stream->session_lsn = session_lsn;
    load_tracker(in, stream->tracker);
  }
  const size_t gap_count = in.take_count(2 + 4 + 8 + 8 + 4);
  for (size_t i = 0; i < gap_count; ++i) state.gaps_.push_back(load_gap(in));
  if (!in.ok()) return corrupt("it ends too early");
  return state;
}

}  // namespace tapeworks::recorder
