#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "recorder/protocol/event.h"
#include "recorder/protocol/venue.h"

namespace tapeworks::recorder {

/// What the numbers of a stream prove (docs/formats/events.md).
enum class SequenceClass : uint8_t {
  kContiguous,  ///< each number comes once: a hole is a loss
  kRising,      ///< only order
  kNone,        ///< there are no numbers
};

constexpr std::string_view name_of(SequenceClass sequence_class) {
  switch (sequence_class) {
    case SequenceClass::kContiguous:
      return "contiguous";
    case SequenceClass::kRising:
      return "rising";
    case SequenceClass::kNone:
      return "none";
  }
  return {};
}

SequenceClass sequence_class_of(Venue venue, Stream stream);

/// Whether a row with the number and the values of an earlier one is a repeat. Not so for
/// snapshots, which are pushed again unchanged, and all of them are kept.
constexpr bool drops_repeats(Stream stream) { return stream != Stream::kL5; }

/// Whether copies of a row that came over two connections can be told by their number, so that the
/// first one of them is taken. Of other streams one connection at a time counts.
bool has_merge_key(Venue venue, Stream stream);

/// 64 bits of all values of a row.
uint64_t row_fingerprint(const EventRow& row);

/// Numbers of a hole, both inclusive.
struct MissingNumbers {
  int64_t from = 0;
  int64_t to = 0;

  bool operator==(const MissingNumbers&) const = default;
};

struct SequenceFinding {
  enum class Kind : uint8_t {
    kInOrder,  ///< the first one, the next one, or on rising streams any later or equal one
    kEarlier,  ///< before the first one: another connection was faster. missing_from to missing_to
               ///< are between, if any, and may come
    kHole,     ///< missing_from to missing_to were skipped; this row is fine
    kLate,     ///< fills a hole that was found before, or another connection was faster
    kRepeat,   ///< number and values were there before: to be dropped
    kReset,    ///< lower than the last one, with other values: accepted, counts from here on
  };
  Kind kind = Kind::kInOrder;
  int64_t missing_from = 0;
  int64_t missing_to = 0;
  /// kHole: a connection was replaced or lost in between, which may explain it.
  bool across_connections = false;
  /// There are too many holes: whether these numbers are missing is not known any more.
  std::optional<MissingNumbers> forgotten = std::nullopt;

  bool operator==(const SequenceFinding&) const = default;
};

/// Numbers that another connection has brought of the same stream, whole between the two.
struct OtherCopy {
  int64_t first = 0;
  int64_t last = 0;
  /// It began after this connection did, which may have what is older than `first`.
  bool began_later = false;

  bool covers(int64_t sequence) const { return first <= sequence && sequence <= last; }
};

/// Follows the numbers of one stream of one symbol, in the order of the log.
///
/// Memory: 16 bytes a row of the window, all of them as soon as some rows have come, and 16 a hole.
/// There are at most kHolesMax, and rows may split them into kHolePartsMax parts; the oldest is
/// forgotten first. Threads: one at a time.
class SequenceTracker {
 public:
  static constexpr size_t kHolesMax = 1024;
  static constexpr size_t kHolePartsMax = 2 * kHolesMax;

  /// Without a window (0 rows), nothing is a repeat.
  SequenceTracker(SequenceClass sequence_class, size_t window_rows)
      : sequence_class_(sequence_class), window_rows_(window_rows) {}

  /// A row, or with `fingerprint` 0 a number that was used up without one.
  /// `other`: the row comes in the order of its own connection, behind another one that brings the
  /// same stream, so a lower number is no reset.
  SequenceFinding observe(int64_t sequence, uint64_t fingerprint,
                          const std::optional<OtherCopy>& other = std::nullopt);

  /// All that it knows, to go on from there after a restart.
  struct Snapshot {
    bool any = false;
    bool connection_changed = false;
    int64_t last = 0;
    std::vector<std::pair<int64_t, uint64_t>> window;  ///< sequence and fingerprint, oldest first
    std::vector<std::pair<int64_t, int64_t>> holes;    ///< first and last number
  };
  Snapshot snapshot() const;
  /// Pairs in a snapshot.
  size_t pair_count() const { return window_.size() + holes_.size(); }
  size_t memory_bytes() const {
    return window_.capacity() * sizeof(Seen) + holes_.capacity() * sizeof(MissingNumbers);
  }
  /// Of a tracker with the same class and window.
  void restore(const Snapshot& snapshot);

  /// The highest number that has left the window; whether a lower one was there, it cannot tell.
  int64_t forgotten_to() const { return forgotten_to_; }
  void set_forgotten_to(int64_t sequence) { forgotten_to_ = sequence; }
  /// The lowest number of a contiguous stream since its numbers began.
  int64_t first() const { return first_; }
  void set_first(int64_t sequence) { first_ = sequence; }

  /// A number of a hole has come from elsewhere; were it to come again, it would be no news.
  /// What it had to forget for that.
  std::optional<MissingNumbers> fill(int64_t sequence) {
    std::optional<MissingNumbers> forgotten;
    static_cast<void>(fill_hole(sequence, forgotten));
    return forgotten;
  }
  /// Whether the number lies in a hole that is still open.
  bool misses(int64_t sequence) const;
  /// How many numbers of holes lie between the two, inclusively.
  int64_t missing_count(int64_t from, int64_t to) const;
  /// Whether one of the last rows has the number.
  bool has_seen(int64_t sequence) const;
  /// The number that the next one is compared with.
  std::optional<int64_t> last() const { return any_ ? std::optional(last_) : std::nullopt; }

  /// What comes next comes from another connection.
  void connection_changed() { connection_changed_ = true; }

 private:
  struct Seen {
    int64_t sequence;
    uint64_t fingerprint;
  };
  SequenceFinding judge(int64_t sequence, uint64_t fingerprint,
                        const std::optional<OtherCopy>& other);
  SequenceFinding judge_rising(int64_t sequence, const std::optional<OtherCopy>& other) const;
  SequenceFinding begin_earlier(int64_t sequence);
  bool was_seen(int64_t sequence, uint64_t fingerprint) const;
  void remember(int64_t sequence, uint64_t fingerprint);
  void add_to_window(Seen seen);
  bool fill_hole(int64_t sequence, std::optional<MissingNumbers>& forgotten);
  std::optional<MissingNumbers> add_hole(std::vector<MissingNumbers>::iterator before,
                                         MissingNumbers hole, size_t count_max);

  SequenceClass sequence_class_;
  size_t window_rows_;
  bool any_ = false;
  bool connection_changed_ = false;
  int64_t first_ = std::numeric_limits<int64_t>::min();  // while it is not known, none is lower
  int64_t last_ = 0;
  std::vector<Seen> window_;  // a ring once it is full
  size_t window_next_ = 0;
  int64_t forgotten_to_ = std::numeric_limits<int64_t>::min();
  std::vector<MissingNumbers> holes_;
};

}  // namespace tapeworks::recorder
