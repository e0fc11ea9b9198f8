#include "pipeline/group_collector.h"

#include <algorithm>
#include <utility>

namespace tapeworks {
namespace {

/// One megabyte of groups: it stays in the second-level cache.
constexpr unsigned kSlotBits = 13;
constexpr size_t kSlotCount = size_t{1} << kSlotBits;

/// The table pays off when at least one record in so many finds its group there.
constexpr size_t kRecordsPerHitMax = 16;
constexpr size_t kWindowRecords = 4 * kSlotCount;

size_t slot_of(const GroupRecord& record) {
  const uint64_t account = uint64_t{record.symbol} << 32 | record.broker;
  const uint64_t mixed = (account ^ (account >> 29)) * 0x9e3779b97f4a7c15ULL +
                         static_cast<uint32_t>(record.day.days_since_epoch) * 0xc2b2ae3d27d4eb4fULL;
  return static_cast<size_t>((mixed * 0x9e3779b97f4a7c15ULL) >> (64 - kSlotBits));
}

}  // namespace

GroupCollector::GroupCollector(RunStore& runs, size_t chunk_bytes)
    : runs_(runs), chunk_bytes_(chunk_bytes), slots_(kSlotCount), chunks_(runs.partition_count()) {}

uint64_t GroupCollector::memory_bytes(size_t partition_count, size_t chunk_bytes) {
  return kSlotCount * sizeof(Slot) +
         partition_count * (chunk_bytes + kPackedRecordBytesMax + sizeof(Chunk));
}

void GroupCollector::set_partition(uint32_t symbol, uint32_t partition) {
  if (symbol >= partition_of_symbol_.size()) {
    partition_of_symbol_.resize(symbol + size_t{1});
    records_by_symbol_.resize(symbol + size_t{1});
  }
  partition_of_symbol_[symbol] = partition;
}

void GroupCollector::look_at_hits() {
  // A window with the table tells whether it is worth it; without, eight times as long.
  use_table_ = !use_table_ || hits_ >= kWindowRecords / kRecordsPerHitMax;
  window_left_ = use_table_ ? kWindowRecords : 8 * kWindowRecords;
  hits_ = 0;
}

void GroupCollector::add(const GroupRecord& record) {
  if (window_left_ == 0) look_at_hits();
  --window_left_;
  if (!use_table_) return evict(record);
  Slot& slot = slots_[slot_of(record)];
  GroupRecord& group = slot.group;
  if (slot.used && group.symbol == record.symbol && group.broker == record.broker &&
      group.day == record.day) {
    ++hits_;
    group.specials |= record.specials;
    group.buy_shares += record.buy_shares;
    group.sell_shares += record.sell_shares;
    group.buy_units += record.buy_units;
    group.sell_units += record.sell_units;
    return;
  }
  if (slot.used) evict(group);
  slot.used = true;
  group = record;
}

void GroupCollector::add_wide(const GroupRecord& record, const WideRow& wide) {
  const size_t partition = partition_of_symbol_[record.symbol];
  ++records_by_symbol_[record.symbol];
  std::vector<std::byte> packed;
  chunks_[partition].packer.pack_wide(packed, record, wide);
  const size_t room = chunk_bytes_ + kPackedRecordBytesMax;
  if (chunks_[partition].used + packed.size() > room) flush(partition);
  if (packed.size() > room) return hand_over(partition, std::move(packed));
  Chunk& chunk = open_chunk(partition);
  std::ranges::copy(packed, chunk.bytes.begin() + static_cast<ptrdiff_t>(chunk.used));
  chunk.used += packed.size();
  if (chunk.used >= chunk_bytes_) flush(partition);
}

GroupCollector::Chunk& GroupCollector::open_chunk(size_t partition) {
  Chunk& chunk = chunks_[partition];
  if (chunk.bytes.empty()) chunk.bytes.resize(chunk_bytes_ + kPackedRecordBytesMax);
  return chunk;
}

void GroupCollector::evict(const GroupRecord& record) {
  const size_t partition = partition_of_symbol_[record.symbol];
  Chunk& chunk = open_chunk(partition);
  std::byte* const begin = chunk.bytes.data();
  const std::byte* const end = chunk.packer.pack(begin + chunk.used, record, chunk.used == 0);
  chunk.used = static_cast<size_t>(end - begin);
  ++records_by_symbol_[record.symbol];
  if (chunk.used >= chunk_bytes_) flush(partition);
}

void GroupCollector::flush(size_t partition) {
  Chunk& chunk = chunks_[partition];
  chunk.bytes.resize(std::exchange(chunk.used, 0));
  hand_over(partition, std::exchange(chunk.bytes, {}));
}

void GroupCollector::hand_over(size_t partition, std::vector<std::byte> bytes) {
  if (bytes.empty()) return;
  auto status = runs_.append(partition, std::move(bytes));
  if (!status && status_) status_ = std::move(status);
}

Status GroupCollector::finish() {
  for (Slot& slot : slots_) {
    if (slot.used) evict(slot.group);
    slot.used = false;
  }
  for (size_t partition = 0; partition < chunks_.size(); ++partition) {
    Chunk& chunk = chunks_[partition];
    chunk.bytes.resize(chunk.used);
    chunk.bytes.shrink_to_fit();
    flush(partition);
  }
  return status_;
}

}  // namespace tapeworks
