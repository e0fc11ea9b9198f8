#include <algorithm>
#include <tuple>
#include <utility>

#include "recorder/sink/row_maker_internal.h"

// Which sockets a connection has, and when they did not bring everything.

namespace tapeworks::recorder {
namespace {

/// Why the active leg changed, and what its gap is called.
constexpr std::string_view kSilentLeg = "silent";

/// By so much two legs may differ in time.
constexpr int64_t kBehindNsMax = kSecondNs;

/// Since when `leg` has brought no row. Before it was answered nothing was to be expected of it.
int64_t silent_from(const ConnectionState& connection, uint8_t leg) {
  return std::max(connection.leg_last_row_ns[leg], connection.leg_answers[leg].time_ns);
}

/// Whether `leg` has brought no row while the other one did: an exchange may have forgotten it, and
/// still answer its pings.
bool has_fallen_silent(const ConnectionState& connection, uint8_t leg) {
  return connection.leg_last_row_ns[1 - leg] - silent_from(connection, leg) > kBehindNsMax;
}

}  // namespace

Moment end_of_coverage(const ConnectionState& connection) {
  Moment covered;
  Moment any;
  for (size_t leg = 0; leg < connection.leg_connected.size(); ++leg) {
    const Moment& last = connection.leg_last_frames[leg];
    if (connection.leg_connected[leg] && last.lsn > any.lsn) any = last;
    if (last.lsn > covered.lsn && !connection.leg_awaits_answers[leg]) covered = last;
  }
  if (covered.lsn != 0) return covered;
  return any.lsn != 0 ? any : Moment{0, connection.last_record_ns};
}

/// A connection whose last symbol goes is over, whatever there was of it.
Status RowMaker::take_removed(const LogRecord& record, const LogEvent& event,
                              ConnectionState& connection) {
  for (const std::string& symbol : event.symbols) {
    connection.unsubscribe(symbol);
    TW_TRY(target_.end_symbol(partition_name(venue_of(connection.source), symbol)));
  }
  if (connection.connected() || !connection.symbols.empty()) return {};
  TW_TRY(end_gap(record, record.connection, connection, record.wall_time_ns,
                 "from here on it is not wanted any more"));
  state_.forget_connection(record.connection);
  return {};
}

/// After a change of the configuration a number can belong to another venue.
Status RowMaker::take_over_number(const LogRecord& record, LogSource source,
                                  ConnectionState& connection) {
  if (connection.source && connection.source->venue != source.venue) {
    TW_TRY(end_subscribing(record, record.connection, connection, moment_of(record)));
    TW_TRY(end_gap(record, record.connection, connection, record.wall_time_ns,
                   "from here on the number of the connection belongs to another market"));
    connection = ConnectionState();
  }
  connection.source = source;
  return {};
}

/// While the active leg was silent, sampled streams that it had brought before were in the log
/// only: what the standby brought is no row, and nobody else has it.
Status RowMaker::take_leg_switch(const LogRecord& record, LogSource source, const LogEvent& event,
                                 ConnectionState& connection) {
  const uint8_t before = std::exchange(connection.active_leg, source.leg);
  if (event.cause != kSilentLeg || before == source.leg) return {};
  Gap gap;
  gap.lsn = record.lsn;
  gap.venue = source.venue;
  gap.connection = record.connection;
  const int64_t from_ns = connection.leg_last_row_ns[before];
  if (from_ns != 0) gap.from_ns = std::min(from_ns, record.wall_time_ns);
  gap.to_ns = std::max(from_ns, record.wall_time_ns);
  gap.cause = kSilentLeg;
  gap.detail = "the active leg was silent; streams that only the active leg brings lack this time";
  return write_gap(gap);
}

Status RowMaker::take_connect(const LogRecord& record, const LogEvent& event,
                              ConnectionState& connection) {
  const uint8_t leg = connection.source ? connection.source->leg : uint8_t{0};
  TW_TRY(begin_unknown(record, record.connection, connection));
  if (!connection.connected()) connection.active_leg = leg;
  connection.leg_connected[leg] = true;
  connection.session_lsn = record.lsn;
  connection.leg_session_lsns[leg] = record.lsn;
  connection.leg_last_row_ns[leg] = record.wall_time_ns;
  connection.leg_partner_lsns[leg] = connection.live_sessions()[1 - leg];
  const bool awaits_answers = event.count.value_or(0) > 0;
  connection.leg_awaits_answers[leg] = awaits_answers;
  connection.leg_last_frames[leg] = moment_of(record);
  connection.leg_answers[leg] = {};
  const bool was_down = connection.gap_from_ns.has_value();
  TW_TRY(end_gap(record, record.connection, connection, record.wall_time_ns, {}));
  if (!awaits_answers) {
    return end_subscribing(record, record.connection, connection, moment_of(record));
  }
  if (was_down) connection.subscribing_from = moment_of(record);
  return {};
}

Status RowMaker::take_all_answered(const LogRecord& record, uint8_t leg,
                                   ConnectionState& connection) {
  if (!connection.leg_connected[leg] || !connection.leg_awaits_answers[leg]) return {};
  connection.leg_awaits_answers[leg] = false;
  connection.leg_answers[leg] = moment_of(record);
  return end_subscribing(record, record.connection, connection, moment_of(record));
}

/// Rows of a leg that was thought to be silent, or that speaks before another one is answered.
Status RowMaker::take_speech(const LogRecord& record, uint8_t leg, ConnectionState& connection) {
  connection.leg_last_row_ns[leg] = record.wall_time_ns;
  if (!connection.leg_connected[leg] || connection.leg_awaits_answers[leg]) return {};
  TW_TRY(end_gap(record, record.connection, connection, record.wall_time_ns, {}));
  return end_subscribing(record, record.connection, connection, moment_of(record));
}

Status RowMaker::take_disconnect(const LogRecord& record, uint8_t leg, const LogEvent& event,
                                 ConnectionState& connection) {
  const auto other_leg = static_cast<uint8_t>(1 - leg);
  const bool awaits_answers = connection.leg_awaits_answers[other_leg];
  const bool was_covering = !connection.leg_awaits_answers[leg];
  Moment last = connection.leg_last_frames[leg];
  // Whoever stalls still answers pings: only rows say that something came.
  const bool has_stalled = event.detail == kStalledDetail && connection.leg_last_row_ns[leg] != 0;
  if (has_stalled) last = {1, connection.leg_last_row_ns[leg]};
  if (last.lsn == 0) last = {record.lsn, connection.last_record_ns};
  if (last.time_ns == 0) last = moment_of(record);
  connection.leg_connected[leg] = false;
  if (!connection.connected()) {
    const Moment& other_last = connection.leg_last_frames[other_leg];
    if (!awaits_answers && other_last.lsn > last.lsn && !has_stalled) last = other_last;
    return begin_gap(record, record.connection, connection, last, event.cause);
  }
  connection.active_leg = other_leg;
  if (event.cause == kRemovedCause || connection.subscribing_from) return {};
  const bool was_wanted = std::ranges::find(kWantedEnds, event.cause) != kWantedEnds.end();
  const Moment from = was_wanted && !has_stalled ? moment_of(record) : last;
  if (!awaits_answers && has_fallen_silent(connection, other_leg)) {
    const Moment covered = was_covering ? from : Moment{1, silent_from(connection, other_leg)};
    return begin_gap(record, record.connection, connection, covered, event.cause);
  }
  if (!was_covering) {
    // Neither has all answers, and this one may have begun streams that the other one has not.
    if (awaits_answers) connection.subscribing_from = from;
    return {};
  }
  // The other one may not have been asking for long enough.
  const Moment to = awaits_answers ? moment_of(record) : connection.leg_answers[other_leg];
  if (to.lsn > from.lsn) {
    TW_TRY(begin_gap(record, record.connection, connection, from, event.cause));
    TW_TRY(end_gap(record, record.connection, connection, to.time_ns, {}));
  }
  if (awaits_answers) connection.subscribing_from = moment_of(record);
  return {};
}

/// A connection that the log has no connect of: a process that was killed may have had it, and
/// received what did not become durable.
Status RowMaker::begin_unknown(const LogRecord& record, uint32_t number,
                               ConnectionState& connection) {
  if (!state_.unknown_from_ns || connection.session_lsn != 0) return {};
  return begin_gap(record, number, connection, {0, *state_.unknown_from_ns}, kProcessEndedCause);
}

/// A start has its connections; it may have fewer than the one before, and those that are no more
/// have no next connect.
Status RowMaker::take_numbers(const LogRecord& record, int64_t used_to) {
  for (uint32_t number = 1; state_.unknown_from_ns && number <= used_to; ++number) {
    ConnectionState* const connection = state_.connection(number);
    if (connection == nullptr) break;
    TW_TRY(begin_unknown(record, number, *connection));
  }
  state_.unknown_from_ns.reset();
  std::vector<uint32_t> unused;
  for (const auto& [number, connection] : state_.connections()) {
    if (number > used_to && !connection.connected()) unused.push_back(number);
  }
  for (const uint32_t number : unused) {
    TW_TRY(end_gap(record, number, *state_.connection(number), record.wall_time_ns,
                   "from here on there is no connection of this number"));
    state_.forget_connection(number);
  }
  return {};
}

Status RowMaker::begin_gap(const LogRecord& record, uint32_t number, ConnectionState& connection,
                           const Moment& from, std::string_view cause) {
  TW_TRY(end_subscribing(record, number, connection, from));
  if (cause == kRemovedCause || connection.gap_from_ns) return {};  // nobody wants its streams
  // Also behind one that was replaced: its successor has gone before it.
  connection.gap_from_ns = from.time_ns;
  connection.gap_cause = cause.empty() ? "disconnect" : std::string(cause);
  return {};
}

/// The end of the time in which nothing was received on it, if that is so.
Status RowMaker::end_gap(const LogRecord& record, uint32_t number, ConnectionState& connection,
                         int64_t to_ns, std::string detail) {
  if (!connection.gap_from_ns) return {};
  // The clock may have been set meanwhile.
  const auto [first_ns, last_ns] = std::minmax({*connection.gap_from_ns, to_ns});
  connection.gap_from_ns.reset();
  connection.last_gap_lsn = record.lsn;
  connection.last_gap_from_ns = first_ns;
  connection.last_gap_to_ns = last_ns;
  Gap gap;
  gap.lsn = record.lsn;
  gap.venue = venue_of(connection.source);
  gap.connection = number;
  gap.from_ns = first_ns;
  gap.to_ns = last_ns;
  gap.cause = connection.gap_cause;
  gap.detail = std::move(detail);
  return write_gap(gap);
}

/// The end of the time in which a part of the streams may not have come yet, if that is so.
Status RowMaker::end_subscribing(const LogRecord& record, uint32_t number,
                                 ConnectionState& connection, const Moment& to) {
  const auto from = std::exchange(connection.subscribing_from, std::nullopt);
  if (!from || to.lsn <= from->lsn) return {};
  Gap gap;
  gap.lsn = record.lsn;
  gap.venue = venue_of(connection.source);
  gap.connection = number;
  // The clock may have been set meanwhile.
  std::tie(gap.from_ns, gap.to_ns) = std::minmax(from->time_ns, to.time_ns);
  gap.cause = kSubscribingCause;
  gap.detail = "connected, and not all streams were asked for and answered yet";
  return write_gap(gap);
}

}  // namespace tapeworks::recorder
