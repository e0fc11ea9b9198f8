#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "storage/log_format.h"
#include "storage/log_segment_file.h"

namespace tapeworks {

/// Bytes of a segment that hold no intact record: [begin, end).
struct LogDamage {
  uint64_t begin = 0;
  uint64_t end = 0;          ///< where reading goes on, or the end of the file
  bool reaches_end = false;  ///< nothing intact follows
  std::string reason;
};

/// Nothing more has been written here.
struct LogSegmentEnd {
  uint64_t offset = 0;        ///< where the next fragment would stand
  bool has_end_mark = false;  ///< closed in order
};

/// Reads the records of one segment in the order of the file, intact ones only, and names the bytes
/// in between that are damaged. It looks at one segment alone: whether LSNs are missing between two
/// records is for LogReader to say.
///
/// Memory: one block and one record.
/// Live segments: after the end next() may be called again and finds what has been written since.
/// Errors: kIo; kCorrupt for a segment of another format version. Damage is a value, no error.
/// Threads: one.
class LogSegmentCursor {
 public:
  using Step = std::variant<LogRecord, LogDamage, LogSegmentEnd>;

  static Result<LogSegmentCursor> open(const LogSegmentFile& file);

  /// The payload of a record is valid until the next call.
  Result<Step> next();

  /// Goes back to where a damage began, to look again at what may have been half-written.
  void look_again_at(uint64_t offset);

  /// Nothing when it is damaged.
  const std::optional<LogSegmentHeader>& header() const { return header_; }
  /// Where reading goes on: behind the record that was returned last.
  uint64_t position() const { return position_; }

 private:
  enum class Found { kRecord, kEndMark, kZero, kEnd, kBad };
  struct Fragment {
    Found found = Found::kBad;
    LogFragmentType type = LogFragmentType::kZero;
    std::span<const std::byte> data;
    uint64_t end = 0;
    const char* problem = "";
  };
  /// What stands at a position. `end` is behind it; for damage, where to go on looking.
  struct Item {
    Found found = Found::kBad;
    uint64_t begin = 0;
    uint64_t end = 0;
    const char* problem = "";
  };

  LogSegmentCursor(const LogSegmentFile& file, std::unique_ptr<LogSegmentBytes> bytes);
  Status read_header();
  Status load_block(uint64_t index);
  Result<Fragment> read_fragment(uint64_t offset);
  Result<Item> read_item(uint64_t offset);
  Result<Item> join_fragments(uint64_t begin, const Fragment& first);
  /// The item at `offset`, with a second look at a block that may have grown since it was read.
  Result<Item> read_item_freshly(uint64_t offset);
  Result<Item> find_intact(uint64_t offset);
  Result<std::optional<uint64_t>> find_nonzero(uint64_t offset);
  Result<uint64_t> file_end(uint64_t offset);
  Step take(const Item& item);

  LogSegmentFile file_;
  std::unique_ptr<LogSegmentBytes> bytes_;
  std::optional<LogSegmentHeader> header_;
  std::vector<std::byte> block_;
  std::optional<uint64_t> block_index_;
  size_t block_bytes_ = 0;
  std::vector<std::byte> record_;            ///< a record that is cut into fragments, joined
  std::span<const std::byte> record_bytes_;  ///< the record found last: in record_ or in block_
  uint64_t position_ = 0;
  std::optional<Item> behind_damage_;
  bool has_end_mark_ = false;
};

}  // namespace tapeworks
