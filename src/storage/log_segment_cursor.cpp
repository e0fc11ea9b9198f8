#include "storage/log_segment_cursor.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace tapeworks {
namespace {

constexpr uint64_t kRecordBytesMax = kLogRecordHeaderBytes + kLogPayloadBytesMax;

uint64_t block_of(uint64_t offset) { return offset / kLogBlockBytes; }

uint64_t next_block(uint64_t offset) { return (block_of(offset) + 1) * kLogBlockBytes; }

constexpr std::array<std::byte, kLogBlockBytes> kZeros{};

/// Of at most a block. The reserved end of a segment is tens of MiB of zeros, so this is not done
/// byte by byte.
bool all_zero(std::span<const std::byte> bytes) {
  return std::memcmp(bytes.data(), kZeros.data(), bytes.size()) == 0;
}

bool continues_a_record(LogFragmentType type) {
  return type == LogFragmentType::kMiddle || type == LogFragmentType::kLast;
}

}  // namespace

LogSegmentCursor::LogSegmentCursor(const LogSegmentFile& file,
                                   std::unique_ptr<LogSegmentBytes> bytes)
    : file_(file), bytes_(std::move(bytes)), block_(kLogBlockBytes) {}

Result<LogSegmentCursor> LogSegmentCursor::open(const LogSegmentFile& file) {
  TW_ASSIGN(auto bytes, open_segment_bytes(file));
  LogSegmentCursor cursor(file, std::move(bytes));
  TW_TRY(cursor.read_header());
  return cursor;
}

Status LogSegmentCursor::read_header() {
  TW_TRY(load_block(0));
  const auto bytes = std::span<const std::byte>(block_).first(block_bytes_);
  const ParsedSegmentHeader parsed = parse_segment_header(bytes);
  if (parsed.state == ParsedSegmentHeader::State::kOtherVersion) {
    return corrupt("{} has format version {}, which this program does not know; use a newer one",
                   file_.path.string(), parsed.version);
  }
  if (parsed.state == ParsedSegmentHeader::State::kIntact &&
      parsed.header.first_lsn == file_.first_lsn) {
    header_ = parsed.header;
    position_ = kLogSegmentHeaderBytes;
  }
  return {};
}

Status LogSegmentCursor::load_block(uint64_t index) {
  if (block_index_ == index) return {};
  block_index_.reset();
  TW_ASSIGN(block_bytes_, bytes_->read_block(index, block_));
  block_index_ = index;
  return {};
}

Result<LogSegmentCursor::Fragment> LogSegmentCursor::read_fragment(uint64_t offset) {
  TW_TRY(load_block(block_of(offset)));
  const uint64_t in_block = offset % kLogBlockBytes;
  Fragment fragment;
  fragment.end = next_block(offset);
  if (in_block >= block_bytes_) {
    fragment.found = Found::kEnd;
    return fragment;
  }
  const auto left = std::span<const std::byte>(block_).first(block_bytes_).subspan(in_block);
  const auto front = left.first(std::min<size_t>(left.size(), kLogFragmentHeaderBytes));
  if (all_zero(front)) {
    fragment.found = Found::kZero;
    return fragment;
  }
  fragment.problem = "the file ends within a fragment";
  if (left.size() < kLogFragmentHeaderBytes) return fragment;
  const auto data_bytes = load_little_endian<uint16_t>(&left[4]);
  const auto type = load_little_endian<uint8_t>(&left[6]);
  if (kLogFragmentHeaderBytes + data_bytes > left.size()) {
    if (block_bytes_ == kLogBlockBytes) fragment.problem = "a fragment is longer than its block";
    return fragment;
  }
  fragment.data = left.subspan(kLogFragmentHeaderBytes, data_bytes);
  fragment.type = static_cast<LogFragmentType>(type);
  if (load_little_endian<uint32_t>(&left[0]) !=
      fragment_checksum(file_.first_lsn, offset, fragment.type, fragment.data)) {
    fragment.problem = "a checksum does not match";
    return fragment;
  }
  fragment.problem = "a fragment is of an unknown type";
  if (fragment.type == LogFragmentType::kEndMark) {
    if (data_bytes != kLogEndMarkBytes) return fragment;
    fragment.found = Found::kEndMark;
  } else if (fragment.type == LogFragmentType::kFull || fragment.type == LogFragmentType::kFirst ||
             continues_a_record(fragment.type)) {
    fragment.found = Found::kRecord;
  } else {
    return fragment;
  }
  fragment.end = offset + kLogFragmentHeaderBytes + data_bytes;
  return fragment;
}

Result<LogSegmentCursor::Item> LogSegmentCursor::join_fragments(uint64_t begin,
                                                                const Fragment& first) {
  record_.assign(first.data.begin(), first.data.end());
  uint64_t offset = first.end;
  while (true) {
    if (offset % kLogBlockBytes != 0) {
      return Item{Found::kBad, begin, offset, "a record stops before the end of its block"};
    }
    TW_ASSIGN(const Fragment fragment, read_fragment(offset));
    if (fragment.found != Found::kRecord) {
      const bool damaged = fragment.found == Found::kBad;
      // An end mark here is a whole item of its own, and so is what a lost block hides.
      const uint64_t go_on = fragment.found == Found::kEndMark ? offset : fragment.end;
      return Item{Found::kBad, begin, go_on, damaged ? fragment.problem : "a record has no end"};
    }
    if (!continues_a_record(fragment.type)) {
      return Item{Found::kBad, begin, offset, "a record has no end"};
    }
    if (record_.size() + fragment.data.size() > kRecordBytesMax) {
      return Item{Found::kBad, begin, fragment.end, "a record is too long"};
    }
    record_.insert(record_.end(), fragment.data.begin(), fragment.data.end());
    offset = fragment.end;
    if (fragment.type == LogFragmentType::kLast) {
      record_bytes_ = record_;
      return Item{Found::kRecord, begin, offset, ""};
    }
  }
}

Result<LogSegmentCursor::Item> LogSegmentCursor::read_item(uint64_t offset) {
  const uint64_t begin = next_fragment_offset(offset);
  if (begin != offset) {
    TW_TRY(load_block(block_of(offset)));
    const size_t in_block = std::min<size_t>(offset % kLogBlockBytes, block_bytes_);
    if (!all_zero(std::span(block_).first(block_bytes_).subspan(in_block))) {
      return Item{Found::kBad, offset, begin, "the unused end of a block is not zero"};
    }
  }
  TW_ASSIGN(const Fragment fragment, read_fragment(begin));
  if (fragment.found != Found::kRecord) {
    return Item{fragment.found, begin, fragment.end, fragment.problem};
  }
  if (continues_a_record(fragment.type)) {
    return Item{Found::kBad, begin, fragment.end, "the beginning of a record is missing"};
  }
  Item item{Found::kRecord, begin, fragment.end, ""};
  if (fragment.type == LogFragmentType::kFull) {
    record_bytes_ = fragment.data;
  } else {
    TW_ASSIGN(item, join_fragments(begin, fragment));
  }
  if (item.found == Found::kRecord) {
    const auto record = parse_record(record_bytes_);
    if (!record || record->lsn > kLogLsnMax) {
      return Item{Found::kBad, begin, item.end, "a record has an impossible header"};
    }
  }
  return item;
}

Result<LogSegmentCursor::Item> LogSegmentCursor::read_item_freshly(uint64_t offset) {
  TW_ASSIGN(const Item item, read_item(offset));
  if (item.found == Found::kRecord || file_.archived) return item;
  // The block may be one that was read before its writer went on.
  block_index_.reset();
  return read_item(offset);
}

/// The first whole record or end mark from `offset` on, which is the beginning of a block or of a
/// fragment; kEnd when there is none.
Result<LogSegmentCursor::Item> LogSegmentCursor::find_intact(uint64_t offset) {
  while (true) {
    TW_ASSIGN(const Item item, read_item(offset));
    switch (item.found) {
      case Found::kRecord:
      case Found::kEndMark:
      case Found::kEnd:
        return item;
      case Found::kZero: {
        TW_ASSIGN(const auto nonzero, find_nonzero(item.begin));
        if (!nonzero) return Item{Found::kEnd, item.begin, item.begin, ""};
        // What is behind zeros within a block has no beginning that could be found.
        const uint64_t block_begin = block_of(*nonzero) * kLogBlockBytes;
        offset = block_begin > item.begin ? block_begin : next_block(*nonzero);
        break;
      }
      case Found::kBad:
        offset = item.end;
    }
  }
}

Result<std::optional<uint64_t>> LogSegmentCursor::find_nonzero(uint64_t offset) {
  while (true) {
    TW_TRY(load_block(block_of(offset)));
    const uint64_t in_block = offset % kLogBlockBytes;
    if (in_block >= block_bytes_) return std::nullopt;
    const auto left = std::span<const std::byte>(block_).first(block_bytes_).subspan(in_block);
    if (!all_zero(left)) {
      const auto found =
          std::ranges::find_if(left, [](std::byte byte) { return byte != std::byte{0}; });
      return offset + static_cast<uint64_t>(found - left.begin());
    }
    offset = next_block(offset);
  }
}

Result<uint64_t> LogSegmentCursor::file_end(uint64_t offset) {
  for (uint64_t index = block_of(offset);; ++index) {
    TW_TRY(load_block(index));
    if (block_bytes_ < kLogBlockBytes) return index * kLogBlockBytes + block_bytes_;
  }
}

LogSegmentCursor::Step LogSegmentCursor::take(const Item& item) {
  position_ = item.end;
  if (item.found == Found::kRecord) return *parse_record(record_bytes_);
  has_end_mark_ = has_end_mark_ || item.found == Found::kEndMark;
  return LogSegmentEnd{item.begin, has_end_mark_};
}

Result<LogSegmentCursor::Step> LogSegmentCursor::next() {
  if (behind_damage_) {
    const Item item = *std::exchange(behind_damage_, std::nullopt);
    if (item.found == Found::kRecord) return take(item);
    position_ = item.begin;
  }
  if (!header_ && position_ == 0) TW_TRY(read_header());
  if (position_ == 0) {
    // No header: either nothing was ever written, or it is damaged and what follows may be intact.
    TW_ASSIGN(const auto nonzero, find_nonzero(0));
    if (!nonzero) {
      block_index_.reset();
      return LogSegmentEnd{0, false};
    }
    TW_ASSIGN(const Item behind, find_intact(kLogSegmentHeaderBytes));
    const bool reaches_end = behind.found == Found::kEnd;
    LogDamage damage{0, behind.begin, reaches_end, "the header of the segment is damaged"};
    if (reaches_end) {
      TW_ASSIGN(damage.end, file_end(0));
    }
    behind_damage_ = behind;
    position_ = damage.end;
    return damage;
  }
  if (has_end_mark_) {
    TW_ASSIGN(const auto nonzero, find_nonzero(position_));
    if (!nonzero) return LogSegmentEnd{position_, true};
    LogDamage damage{*nonzero, 0, true, "bytes stand behind the end mark"};
    TW_ASSIGN(damage.end, file_end(*nonzero));
    position_ = damage.end;
    return damage;
  }
  TW_ASSIGN(const Item item, read_item_freshly(position_));
  if (item.found == Found::kRecord) return take(item);
  if (item.found == Found::kEnd) {
    block_index_.reset();
    return LogSegmentEnd{item.begin, false};
  }
  if (item.found == Found::kEndMark) {
    position_ = item.end;
    has_end_mark_ = true;
    return next();
  }
  LogDamage damage{item.begin, 0, false, item.problem};
  Item behind;
  if (item.found == Found::kZero) {
    TW_ASSIGN(const auto nonzero, find_nonzero(item.begin));
    if (!nonzero) {
      block_index_.reset();
      return LogSegmentEnd{item.begin, false};
    }
    damage.reason = "what was written here is gone";
    TW_ASSIGN(behind, find_intact(item.begin));
  } else {
    TW_ASSIGN(behind, find_intact(item.end));
  }
  damage.reaches_end = behind.found == Found::kEnd;
  damage.end = behind.begin;
  if (damage.reaches_end) {
    TW_ASSIGN(damage.end, file_end(damage.begin));
  }
  behind_damage_ = behind;
  position_ = damage.end;
  return damage;
}

void LogSegmentCursor::look_again_at(uint64_t offset) {
  behind_damage_.reset();
  block_index_.reset();
  has_end_mark_ = false;
  position_ = offset;
}

}  // namespace tapeworks
