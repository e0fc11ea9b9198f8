#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/byte_codec.h"

namespace tapeworks::recorder {

/// Numbers of a stream of trades that were not received, and how far they were fetched since.
/// Fetched trades come in the order of their numbers, so one number says what is there already.
struct TradeHole {
  int64_t from = 0;  ///< the first number that may be missing
  int64_t to = 0;
  int64_t next = 0;          ///< fetched trades below are rows, as far as the exchange has any
  int64_t fetched_from = 0;  ///< the first number of the answers; none before was fetched
  uint64_t row_count = 0;
  /// When the last trade before it happened, by the exchange's clock where that is plausible.
  int64_t search_from_ns = 0;
  bool is_over = false;  ///< it is not looked for any more
  // As in the gap's row.
  uint32_t connection = 0;
  std::string cause;
  std::optional<int64_t> from_ns;
  int64_t to_ns = 0;

  /// An answer that begins with the number. `is_latest`: it is not asked for by number, so it may
  /// begin behind where the one before it ended.
  void begin_page(int64_t first, bool is_latest) {
    if (first > next && (next == from || is_latest)) fetched_from = first;
  }
  bool covers(int64_t sequence) const { return fetched_from <= sequence && sequence < next; }
};

/// The holes of one stream, oldest first. A function of the log's records.
/// Memory: at most kHolesMax of about 100 bytes. Threads: one.
class TradeHoles {
 public:
  static constexpr size_t kHolesMax = 16;
  /// A hole is not filled any more when it ended so long ago by the log's time, and not at all when
  /// it began so long before it was found.
  static constexpr int64_t kKeptNs = int64_t{24} * 3600 * 1'000'000'000;
  /// What comes later than this is no late copy of a fetched trade.
  static constexpr int64_t kLateNs = int64_t{600} * 1'000'000'000;

  /// `began_ns`: when the last trade before it came. False when that is too long ago, or too many
  /// are still open; then the gap remains one.
  bool add(TradeHole hole, int64_t began_ns, int64_t now_ns);
  /// Those with numbers between the two are not looked for any more.
  void give_up(int64_t from, int64_t to);
  /// The one with these numbers that may still be filled; null when there is none.
  TradeHole* find_open(int64_t from, int64_t to, int64_t now_ns);
  /// Whether the number lies where fetched trades have been taken a short time ago.
  bool covers(int64_t sequence, int64_t now_ns) const;
  /// The numbers have begun again.
  void clear() { holes_.clear(); }

  const std::vector<TradeHole>& holes() const { return holes_; }
  static bool is_open(const TradeHole& hole, int64_t now_ns) {
    return !hole.is_over && now_ns - hole.to_ns <= kKeptNs;
  }

  void save(ByteWriter& out) const;
  static TradeHoles load(ByteReader& in);
  static constexpr size_t kBytesMin = 4;
  /// What checkpoints of earlier versions lack.
  void save_bounds(ByteWriter& out) const;
  void load_bounds(ByteReader& in);

 private:
  std::vector<TradeHole> holes_;
};

}  // namespace tapeworks::recorder
