#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_codec.h"
#include "base/result.h"
#include "base/text_map.h"
#include "recorder/protocol/log_event.h"
#include "recorder/protocol/sequence.h"
#include "recorder/protocol/stream_symbols.h"
#include "recorder/protocol/trade_backfill.h"
#include "recorder/sink/leg_merge.h"
#include "recorder/sink/sampled_legs.h"
#include "recorder/sink/trade_holes.h"

namespace tapeworks::recorder {

/// Cause of the gap of a connection that is there and awaits answers about some of its streams.
inline constexpr std::string_view kSubscribingCause = "subscribing";

/// A record of the log. The number says what came first; the wall clock may be set.
struct Moment {
  uint64_t lsn = 0;  ///< 0: not known
  int64_t time_ns = 0;
};

/// A connection of the log, by its number, which a socket that replaces it takes over.
struct ConnectionState {
  std::optional<LogSource> source;
  /// A socket that is made while another one is open has the other leg.
  std::array<bool, 2> leg_connected{};
  std::array<uint64_t, 2> leg_session_lsns{};  ///< of the records that began the legs' sockets
  /// Of the other leg's socket at that moment; 0 when there was none.
  std::array<uint64_t, 2> leg_partner_lsns{};
  /// Log time of the last row of each leg, at first of its connect; 0: not known.
  std::array<int64_t, 2> leg_last_row_ns{};
  /// The last frame of each leg's socket, at first its connect.
  std::array<Moment, 2> leg_last_frames{};
  /// Asked for streams, and has not been answered about all of them: what is sent may pass it by.
  std::array<bool, 2> leg_awaits_answers{};
  /// The last answer of each leg's socket. Not known where the log does not say: then from its
  /// connect on it brings whatever there is.
  std::array<Moment, 2> leg_answers{};
  /// Since when no leg brings whatever there is, though one is connected and asks for it.
  std::optional<Moment> subscribing_from;
  uint8_t active_leg = 0;            ///< whose rows of streams without a key count
  uint64_t session_lsn = 0;          ///< of the record that began the present socket
  int64_t last_record_ns = 0;        ///< log time of its last record
  std::vector<std::string> symbols;  ///< as subscribed
  StreamSymbols stream_symbols;      ///< the same for the decoders
  /// Since when nothing was received, and why, while that is so: no leg is connected, or the one
  /// that is has fallen silent.
  std::optional<int64_t> gap_from_ns;
  std::string gap_cause;
  /// The last such time that is over: the record that ended it, and its begin and end. 0: none.
  uint64_t last_gap_lsn = 0;
  int64_t last_gap_from_ns = 0;
  int64_t last_gap_to_ns = 0;

  /// The sessions of the legs that are connected; 0 for one that is not.
  std::array<uint64_t, 2> live_sessions() const {
    return {leg_connected[0] ? leg_session_lsns[0] : 0, leg_connected[1] ? leg_session_lsns[1] : 0};
  }
  LegMerge::Session session_of(uint8_t leg) const { return {leg, leg_session_lsns[leg]}; }
  /// Whether the sockets of two sessions were open at the same time.
  bool were_together(const LegMerge::Session& one, const LegMerge::Session& other) const;
  bool connected() const { return leg_connected[0] || leg_connected[1]; }
  /// Of each leg's socket; empty where the log does not say.
  std::array<std::set<std::string, std::less<>>, 2> leg_symbols{};
  bool is_brought_by(uint8_t leg, std::string_view symbol) const {
    return leg_symbols[leg].empty() || leg_symbols[leg].contains(symbol);
  }
  void subscribe(const std::string& symbol);
  void unsubscribe(const std::string& symbol);
};

/// Something that may be missing, for the certificates of the files it concerns.
struct KnownGap {
  std::optional<Venue> venue;  ///< none: all of them
  std::string symbol;          ///< empty: all of them
  int64_t from_ns = 0;
  int64_t to_ns = 0;
  std::string json;  ///< as the certificate has it
};

/// All that earlier records say about later ones: which symbols a connection has, how far each
/// stream has come, how late it is. A function of the records up to `lsn`.
///
/// Memory: kStreamsMax streams of up to 16 bytes a row of the window and a hole (SequenceTracker),
/// and TradeHoles; kGapsMax gaps. Threads: one.
class LogState {
 public:
  /// Streams beyond are recorded, but neither repeats nor holes are looked for.
  static constexpr size_t kStreamsMax = 20'000;
  static constexpr size_t kGapsMax = 1'000;
  static constexpr size_t kConnectionsMax = 100'000;

  explicit LogState(const RowRules& rules) : rules_(rules) {}

  const RowRules& rules() const { return rules_; }
  /// From the next record on. The window stays as it is once there are streams that remember rows.
  void set_rules(const RowRules& rules);

  uint64_t lsn = 0;
  /// The latest wall time of any record, but for clocks that were set back by more than an hour.
  int64_t log_time_ns = 0;
  /// Files that begin before may lack rows, because the log begins later. 0: none.
  int64_t whole_from_ns = 0;
  /// Log time of the last record of a process that has said that it begins, and not that it ends.
  std::optional<int64_t> run_last_ns;
  /// Log time of the last record of a process that was killed, until the next one has said how many
  /// connections it has: one that the log has no connect of may have received something since then.
  std::optional<int64_t> unknown_from_ns;

  /// Makes it when it is new; null when there are too many.
  ConnectionState* connection(uint32_t number);
  void forget_connection(uint32_t number) { connections_.erase(number); }
  std::map<uint32_t, ConnectionState>& connections() { return connections_; }
  const std::map<uint32_t, ConnectionState>& connections() const { return connections_; }

  struct StreamState {
    SequenceTracker tracker;
    uint64_t session_lsn = 0;  ///< of the connection of its last row
    LegMerge legs;             ///< where copies are told by a number
    SampledLegs sampled;       ///< where they are not
    TradeHoles holes;          ///< of trades
    int64_t last_row_ns = 0;   ///< log time of the last one that moved its numbers; 0: not known
    /// When that one happened, by the exchange's clock where that is plausible.
    int64_t last_event_ns = 0;
    uint64_t gap_lsn = 0;  ///< the last gap of its connection that is in front of a row of it
  };
  /// A stream's state stays where it is when others are added: callers keep pointers to it.
  using Streams = TextMap<std::unique_ptr<StreamState>>;
  Streams& streams() { return streams_; }
  /// What a key of streams() stands for.
  struct StreamName {
    Venue venue;
    Stream stream;
    std::string_view symbol;
  };
  static StreamName name_of_key(std::string_view key);
  /// Null when there are too many. Stays where it is while this LogState is there.
  StreamState* stream(Venue venue, Stream stream, std::string_view symbol);

  /// Gaps of trades that may still be filled, the oldest first; of each of these venues at most
  /// `count_max`.
  std::vector<TradeGap> open_trade_gaps(const std::set<Venue>& venues, size_t count_max) const;

  void add_gap(KnownGap gap);
  /// More is known of it: the next one takes its place.
  void remove_gap(const std::string& json);
  const std::deque<KnownGap>& gaps() const { return gaps_; }
  /// Forgets gaps that ended before.
  void forget_gaps_before(int64_t time_ns);

  /// What belongs to legs is a block of its own, which checkpoints of earlier versions lack.
  void save_legs(ByteWriter& out) const;
  void load_legs(ByteReader& in);
  /// Likewise.
  void save_sampled(ByteWriter& out) const;
  void load_sampled(ByteReader& in);
  /// Likewise.
  void save_floors(ByteWriter& out) const;
  void load_floors(ByteReader& in);
  /// Likewise.
  void save_leg_times(ByteWriter& out) const;
  void load_leg_times(ByteReader& in);

  /// Likewise.
  void save_holes(ByteWriter& out) const;
  void load_holes(ByteReader& in);
  /// Likewise; behind load_holes().
  void save_hole_bounds(ByteWriter& out) const;
  void load_hole_bounds(ByteReader& in);
  /// Likewise.
  void save_answers(ByteWriter& out) const;
  void load_answers(ByteReader& in);
  /// Likewise.
  void save_run(ByteWriter& out) const;
  void load_run(ByteReader& in);
  /// Likewise. The window is not among them, because it is saved with the rest.
  void save_rules(ByteWriter& out) const;
  void load_rules(ByteReader& in);
  /// Likewise.
  void save_earlier_sessions(ByteWriter& out) const;
  void load_earlier_sessions(ByteReader& in);
  /// In place of load_run(): as if a process with open connections had not been stopped.
  void guess_run();

  void save(ByteWriter& out) const;
  /// Of all that is saved: megabytes, of which there should be no second copy while they are put.
  size_t saved_bytes_about() const;
  /// Of all that is remembered.
  size_t memory_bytes_about() const;
  /// Without a number the window is as it was saved.
  static Result<LogState> load(ByteReader& in, std::optional<int64_t> dedupe_window_rows);

 private:
  size_t bytes_about(size_t (*of_tracker)(const SequenceTracker&)) const;

  RowRules rules_;
  std::map<uint32_t, ConnectionState> connections_;
  Streams streams_;  ///< by venue and stream, a byte each, and symbol
  std::string key_;  ///< used again
  std::deque<KnownGap> gaps_;
};

}  // namespace tapeworks::recorder
