#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/byte_codec.h"
#include "recorder/protocol/sequence.h"

namespace tapeworks::recorder {

/// How far each leg of a stream has come, and which holes its other leg may still fill.
///
/// A connection brings a stream in order and whole, so what a leg has brought between the first and
/// the last number of its session need not be taken from the other one again, however late that is,
/// and though the leg has another session by then.
/// A function of the log's records. Memory: about 130 bytes, 48 for each open hole, of which there
/// are at most kHolesMax, and 24 for each earlier session that the other leg is still behind, of
/// which there are at most kEarlierMax a leg: beyond that the oldest is forgotten. Threads: one.
class LegMerge {
 public:
  static constexpr size_t kHolesMax = 64;
  static constexpr size_t kEarlierMax = 16;

  /// A leg's socket: its number, and the record that began it.
  struct Session {
    uint8_t leg = 0;
    uint64_t lsn = 0;
    bool operator==(const Session&) const = default;
  };
  struct OpenHole {
    int64_t from = 0;
    int64_t to = 0;
    Session awaited;  ///< the one that may bring it
    bool across_connections = false;
  };

  /// What to tell the tracker of a row of `session`; before note().
  std::optional<OtherCopy> other_copy(const Session& session, int64_t sequence) const;
  /// `lsn` is that of the row's record, `other_session_lsn` 0 when the other leg is not connected.
  void note(const Session& session, int64_t sequence, uint64_t lsn, uint64_t other_session_lsn);
  /// The numbers have begun again.
  void clear() {
    legs_ = {};
    earlier_ = {};
  }

  /// Whether the other leg of `session` may fill a hole in front of what `session` brings; then it
  /// is kept here. `other_session_lsn` is 0 when that leg is not connected.
  bool await(const Session& session, uint64_t other_session_lsn, const SequenceFinding& hole);
  /// `session` has begun before the other leg did, and may bring what is between; then that is kept
  /// here.
  bool await_between(const Session& session, const SequenceFinding& earlier);
  /// A number has come late; true when it was awaited.
  bool fill(int64_t sequence);
  /// The holes that nobody will fill any more: `session` has come to `sequence`, and
  /// `session_lsns` are the legs' present sessions, 0 for none.
  std::vector<OpenHole> take_lost(const Session& session, int64_t sequence,
                                  const std::array<uint64_t, 2>& session_lsns);
  /// All of them.
  std::vector<OpenHole> take_all() { return std::exchange(holes_, {}); }
  bool has_holes() const { return !holes_.empty(); }

  void save(ByteWriter& out) const;
  static LegMerge load(ByteReader& in);
  static constexpr size_t kBytesMin = 2 * 24 + 4;
  /// A block of its own, which checkpoints of earlier versions lack.
  void save_begins(ByteWriter& out) const;
  void load_begins(ByteReader& in);
  static constexpr size_t kBeginBytes = 2 * sizeof(uint64_t);
  /// Likewise.
  void save_earlier(ByteWriter& out) const;
  void load_earlier(ByteReader& in);
  bool has_earlier() const { return !earlier_[0].empty() || !earlier_[1].empty(); }
  static constexpr size_t kEarlierBytesMin = 2 * sizeof(uint32_t);

 private:
  struct Leg {
    uint64_t session_lsn = 0;  ///< 0: nothing of it has come
    int64_t first = 0;
    int64_t last = 0;
    uint64_t first_lsn = 0;  ///< of the record that brought `first`; 0: not known
  };

  /// What an earlier session has brought, both inclusive, and the session of the other leg that is
  /// behind it. One that is made later is sent newer rows only.
  struct Brought {
    int64_t first = 0;
    int64_t last = 0;
    uint64_t behind_session_lsn = 0;
  };

  std::array<Leg, 2> legs_;
  std::array<std::vector<Brought>, 2> earlier_;  ///< of each leg
  std::vector<OpenHole> holes_;
};

}  // namespace tapeworks::recorder
