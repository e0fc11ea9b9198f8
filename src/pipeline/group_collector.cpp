#include "pipeline/group_collector.h"

#include <algorithm>
#include <utility>

namespace tapeworks {
namespace {

/// One megabyte of groups: it stays in the second-level cache.
constexpr unsigned kSlotBits = 13;
constexpr size_t kSlotCount = size_t{1} << kSlotBits;

size_t slot_of(const GroupRecord& record) {
  const uint64_t account = uint64_t{record.symbol} << 32 | record.broker;
  const uint64_t mixed = (account ^ (account >> 29)) * 0x9e3779b97f4a7c15ULL +
                         static_cast<uint32_t>(record.day.days_since_epoch) * 0xc2b2ae3d27d4eb4fULL;
  return static_cast<size_t>((mixed * 0x9e3779b97f4a7c15ULL) >> (64 - kSlotBits));
}

}  // namespace

GroupCollector::GroupCollector(RunStore& runs, size_t chunk_bytes)
    : runs_(runs),
      chunk_bytes_(chunk_bytes),
      slots_(kSlotCount),
      packers_(runs.partition_count()),
      chunks_(runs.partition_count()) {}

uint64_t GroupCollector::memory_bytes(size_t partition_count, size_t chunk_bytes) {
  return kSlotCount * sizeof(Slot) +
         partition_count * (chunk_bytes + kPackedRecordBytesMax + sizeof(RecordPacker));
}

void GroupCollector::set_partition(uint32_t symbol, uint32_t partition) {
  if (symbol >= partition_of_symbol_.size()) {
    partition_of_symbol_.resize(symbol + size_t{1});
    records_by_symbol_.resize(symbol + size_t{1});
  }
  partition_of_symbol_[symbol] = partition;
}

void GroupCollector::add(const GroupRecord& record) {
  Slot& slot = slots_[slot_of(record)];
  GroupRecord& group = slot.group;
  if (slot.used && group.symbol == record.symbol && group.broker == record.broker &&
      group.day == record.day) {
    group.specials |= record.specials;
    group.buy_shares += record.buy_shares;
    group.sell_shares += record.sell_shares;
    group.buy_units += record.buy_units;
    group.sell_units += record.sell_units;
    return;
  }
  if (slot.used) evict(group, nullptr);
  slot.used = true;
  group = record;
}

void GroupCollector::add_wide(const GroupRecord& record, const WideRow& wide) {
  evict(record, &wide);
}

void GroupCollector::evict(const GroupRecord& record, const WideRow* wide) {
  const size_t partition = partition_of_symbol_[record.symbol];
  auto& chunk = chunks_[partition];
  if (chunk.capacity() == 0) chunk.reserve(chunk_bytes_ + kPackedRecordBytesMax);
  packers_[partition].append(chunk, record, wide);
  ++records_by_symbol_[record.symbol];
  if (chunk.size() >= chunk_bytes_) flush(partition);
}

void GroupCollector::flush(size_t partition) {
  if (chunks_[partition].empty()) return;
  auto status = runs_.append(partition, std::exchange(chunks_[partition], {}));
  if (!status && status_) status_ = std::move(status);
}

Status GroupCollector::finish() {
  for (Slot& slot : slots_) {
    if (slot.used) evict(slot.group, nullptr);
    slot.used = false;
  }
  for (size_t partition = 0; partition < chunks_.size(); ++partition) {
    chunks_[partition].shrink_to_fit();
    flush(partition);
  }
  return status_;
}

}  // namespace tapeworks
