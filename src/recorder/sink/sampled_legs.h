#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <limits>
#include <optional>

#include "base/byte_codec.h"
#include "recorder/sink/leg_merge.h"

namespace tapeworks::recorder {

/// Whose rows of a sampled stream are taken: those of the active leg, each once over a change of
/// it, and before its first one those of the other leg.
///
/// Two sockets bring the same pushes a moment apart. When the active leg changes, the stream has
/// come to one position on the old leg and to another one on the new leg. Up to the further of the
/// two the rows are taken from the old leg, which is still there for a while, and from there on
/// from the new one: what the old leg has brought is not taken again, and what the new leg had
/// brought while it was the standby is not lost. A row of the new leg is left out only where it may
/// be a copy, which comes at most kLagNsMax later: an exchange that begins its numbers again loses
/// none by being below those before.
///
/// A position is the number that the exchange gave the row, or its time where there is none, and
/// how many rows in a row had it. A function of the log's records. Memory: about 190 bytes.
/// Threads: one.
class SampledLegs {
 public:
  /// So long after a change a row that the old leg owes may still come, by the monotonic clock.
  static constexpr int64_t kOverlapNsMax = 10'000'000'000;
  /// So far a leg may be behind the other one. As long as a leg that gives way goes on.
  static constexpr int64_t kLagNsMax = 2'000'000'000;

  struct Row {
    LegMerge::Session session;
    int64_t number = 0;
    int64_t monotonic_ns = 0;  ///< of its receipt
  };
  enum class Verdict : uint8_t {
    kTaken,
    kTakenLate,  ///< of the old leg, behind rows of the new one
    kLeftOut,
  };

  /// The next row of the stream in the log. `active` is the session whose rows count from its first
  /// one on; `were_together` says whether it and owner() were connected at the same time.
  Verdict judge(const Row& row, const LegMerge::Session& active, bool were_together);
  /// Whose rows count since the row before: the active session's, or another one's where that has
  /// not spoken yet.
  const std::optional<LegMerge::Session>& owner() const { return owner_; }

  void save(ByteWriter& out) const;
  static SampledLegs load(ByteReader& in);
  static constexpr size_t kBytesMin = 1;
  /// A block of its own, which checkpoints of earlier versions lack: without it any number may be
  /// that of a copy.
  void save_floors(ByteWriter& out) const;
  void load_floors(ByteReader& in);
  static constexpr size_t kFloorBytes = 7 * sizeof(int64_t);

 private:
  struct Position {
    int64_t number = 0;
    uint32_t copy = 0;  ///< 0 for the first row with the number
    auto operator<=>(const Position&) const = default;
  };
  static constexpr int64_t kNoFloor = std::numeric_limits<int64_t>::min();
  struct Leg {
    uint64_t session_lsn = 0;  ///< 0: nothing of it has come
    Position last;
    /// The session did not bring lesser numbers, or brought them longer than kLagNsMax before its
    /// last row.
    int64_t floor = kNoFloor;
    int64_t next_floor = kNoFloor;  ///< that of a later row, received at next_floor_ns
    int64_t next_floor_ns = 0;

    void begin_floor(const Row& row);
    void raise_floor(const Row& row);
  };
  /// Rows of `before` count up to `at`, but for those up to `accounted`.
  struct Border {
    Position at;
    std::optional<Position> accounted;
    LegMerge::Session before;
    int64_t from_ns = 0;
    int64_t floor = kNoFloor;  ///< lesser numbers are no copies of what came before
    bool is_of_stand_in = false;

    bool is_recent(const Row& row) const { return row.monotonic_ns - from_ns <= kLagNsMax; }
    bool may_be_copy(const Row& row) const { return row.number >= floor && is_recent(row); }
    /// Sent before `before` had asked for the stream, and no sign of numbers that begin again.
    bool may_be_older(const Row& row) const {
      return is_of_stand_in && row.number < floor && is_recent(row);
    }
  };

  void change_owner(const Row& row, const LegMerge::Session& next_owner, bool were_together);
  Position note(const Row& row);
  static void save_position(const std::optional<Position>& position, ByteWriter& out);
  static std::optional<Position> load_position(ByteReader& in);

  std::optional<LegMerge::Session> owner_;
  bool is_stand_in_ = false;       ///< the active leg has not spoken, and owner_ is the other one
  std::optional<Position> taken_;  ///< the last one of an owner
  std::array<Leg, 2> legs_;
  std::optional<Border> border_;
};

}  // namespace tapeworks::recorder
