#include "engine/run_store.h"

#include <utility>

#include "base/run_stats.h"

namespace tapeworks {
namespace {

/// Small chunks of a partition are joined up to this size, so that a block is worth a read.
constexpr size_t kBlockBytes = size_t{2} << 20;
/// The joined block and its compressed form.
constexpr uint64_t kSpillBufferBytes = 2 * (kBlockBytes + RunStore::kChunkBytesMax);

}  // namespace

RunStore::RunStore(size_t partition_count, MemoryBudget& budget, std::filesystem::path temp_folder)
    : budget_(budget),
      temp_folder_(std::move(temp_folder)),
      partitions_(partition_count),
      chunk_memory_(budget) {
  // Without this much there is no budget to speak of; the first append will say so.
  (void)budget_.try_reserve(kSpillBufferBytes, spill_buffers_);
  budget_.set_reclaimer(this);
}

RunStore::~RunStore() { budget_.set_reclaimer(nullptr); }

Status RunStore::append(size_t partition, std::vector<std::byte> chunk) {
  // Asked for outside the lock, because a refusal first spills, which takes it.
  Reservation memory;
  if (!budget_.try_reserve(chunk.capacity(), memory)) {
    const std::scoped_lock lock(mutex_);
    if (spill_error_) return std::unexpected(*spill_error_);
    return over_budget("the memory budget of {} bytes is too small; give more --memory",
                       budget_.resident_limit_bytes());
  }
  const std::scoped_lock lock(mutex_);
  if (spill_error_) return std::unexpected(*spill_error_);
  partitions_[partition].chunks.push_back(std::move(chunk));
  chunk_memory_.absorb(std::move(memory));
  return {};
}

Status RunStore::status() const {
  const std::scoped_lock lock(mutex_);
  if (spill_error_) return std::unexpected(*spill_error_);
  return {};
}

void RunStore::reclaim() {
  const std::scoped_lock lock(mutex_);
  if (spill_error_) return;
  if (auto status = spill(); !status) spill_error_ = std::move(status).error();
}

Status RunStore::spill() {
  const StageTimer timer(Stage::kSpill);
  if (chunk_memory_.bytes() == 0) return {};
  if (!file_) {
    TW_ASSIGN(file_, SpillFile::create(temp_folder_ / "runs.spill"));
  }
  for (Partition& partition : partitions_) TW_TRY(spill_partition(partition));
  return {};
}

Status RunStore::spill_partition(Partition& partition) {
  std::vector<std::byte> block;
  uint64_t freed_bytes = 0;
  const auto write_block = [&]() -> Status {
    if (block.empty()) return {};
    TW_ASSIGN(const SpillBlock written, file_->append(block));
    partition.blocks.push_back(written);
    add_spilled_bytes(written.compressed_bytes);
    block.clear();
    return {};
  };
  for (auto& chunk : partition.chunks) {
    block.insert(block.end(), chunk.begin(), chunk.end());
    freed_bytes += chunk.capacity();
    std::vector<std::byte>().swap(chunk);
    if (block.size() >= kBlockBytes) TW_TRY(write_block());
  }
  partition.chunks.clear();
  TW_TRY(write_block());
  (void)chunk_memory_.resize(chunk_memory_.bytes() - freed_bytes);
  return {};
}

Status RunStore::for_each_chunk(size_t partition,
                                const std::function<Status(std::span<const std::byte>)>& visit) {
  // Chunks may move to the file while they are being visited; what is visited is held here.
  std::vector<std::vector<std::byte>> chunks;
  std::vector<SpillBlock> blocks;
  {
    const std::scoped_lock lock(mutex_);
    if (spill_error_) return std::unexpected(*spill_error_);
    chunks.swap(partitions_[partition].chunks);
    blocks = partitions_[partition].blocks;
  }
  Status status;
  for (const auto& chunk : chunks) {
    status = visit(chunk);
    if (!status) break;
  }
  {
    const std::scoped_lock lock(mutex_);
    auto& kept = partitions_[partition].chunks;
    for (auto& chunk : chunks) kept.push_back(std::move(chunk));
  }
  TW_TRY(status);
  for (const SpillBlock& block : blocks) {
    std::vector<std::byte> bytes;
    {
      const StageTimer timer(Stage::kSpill);
      TW_ASSIGN(bytes, file_->read(block));
    }
    TW_TRY(visit(bytes));
  }
  return {};
}

void RunStore::drop(size_t partition) {
  std::vector<std::vector<std::byte>> chunks;
  const std::scoped_lock lock(mutex_);
  chunks.swap(partitions_[partition].chunks);
  uint64_t bytes = 0;
  for (const auto& chunk : chunks) bytes += chunk.capacity();
  (void)chunk_memory_.resize(chunk_memory_.bytes() - bytes);
}

uint64_t RunStore::spilled_bytes() const {
  const std::scoped_lock lock(mutex_);
  return file_ ? file_->file_bytes() : 0;
}

}  // namespace tapeworks
