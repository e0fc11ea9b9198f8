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

constexpr uintptr_t kCacheLineBytes = 64;

size_t slot_of(const GroupRecord& record) {
  const uint64_t account = uint64_t{record.symbol} << 32 | record.broker;
  const uint64_t mixed = (account ^ (account >> 29)) * 0x9e3779b97f4a7c15ULL +
                         static_cast<uint32_t>(record.day.days_since_epoch) * 0xc2b2ae3d27d4eb4fULL;
  return static_cast<size_t>((mixed * 0x9e3779b97f4a7c15ULL) >> (64 - kSlotBits));
}

}  // namespace

GroupCollector::GroupCollector(RunStore& runs)
    : runs_(runs), slots_(kSlotCount), chunks_(runs.partition_count()) {}

uint64_t GroupCollector::memory_bytes(size_t partition_count) {
  return kSlotCount * sizeof(Slot) + partition_count * sizeof(OpenChunk);
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

void GroupCollector::add_apart(const GroupRecord& record) { evict(record); }

void GroupCollector::add_wide(const GroupRecord& record, const WideRow& wide) {
  const size_t partition = partition_of_symbol_[record.symbol];
  ++records_by_symbol_[record.symbol];
  // A packer of its own: the chunk's learns of symbol and day only if the record ends up in the
  // chunk.
  std::vector<std::byte> packed;
  RecordPacker().pack_wide(packed, record, wide);
  if (packed.size() > runs_.chunk_bytes()) return note(runs_.append(partition, packed));
  Chunk* const chunk = room_for(partition, packed.size());
  if (chunk == nullptr) return;
  chunks_[partition].packer.start_from(record.symbol, record.day);
  std::ranges::copy(packed, chunk->data() + chunk->size());
  chunk->set_size(chunk->size() + packed.size());
}

void GroupCollector::evict(const GroupRecord& record) {
  const size_t partition = partition_of_symbol_[record.symbol];
  ++records_by_symbol_[record.symbol];
  Chunk* const chunk = room_for(partition, kPackedRecordBytesMax);
  if (chunk == nullptr) return;
  const size_t used = chunk->size();
  const std::byte* const end =
      chunks_[partition].packer.pack(chunk->data() + used, record, used == 0);
  chunk->set_size(static_cast<size_t>(end - chunk->data()));
  // Where records come in no order, each goes to another chunk than the one before: what the next
  // one of this chunk is written to is fetched meanwhile. Behind the chunk's end it does no harm.
  const auto next_line = reinterpret_cast<uintptr_t>(end) + kCacheLineBytes;
  __builtin_prefetch(reinterpret_cast<const void*>(next_line), 1);
}

Chunk* GroupCollector::room_for(size_t partition, size_t bytes) {
  Chunk& chunk = chunks_[partition].chunk;
  if (chunk.capacity() - chunk.size() >= bytes) [[likely]]
    return &chunk;
  flush(partition);
  if (!status_) return nullptr;
  auto fresh = runs_.new_chunk();
  if (!fresh) {
    note(std::unexpected(std::move(fresh).error()));
    return nullptr;
  }
  chunk = std::move(*fresh);
  return &chunk;
}

void GroupCollector::flush(size_t partition) {
  Chunk chunk = std::exchange(chunks_[partition].chunk, Chunk());
  if (chunk.size() != 0) note(runs_.append(partition, std::move(chunk)));
}

void GroupCollector::note(Status status) {
  if (!status && status_) status_ = std::move(status);
}

Status GroupCollector::finish() {
  for (Slot& slot : slots_) {
    if (slot.used) evict(slot.group);
    slot.used = false;
  }
  for (size_t partition = 0; partition < chunks_.size(); ++partition) flush(partition);
  return status_;
}

}  // namespace tapeworks
