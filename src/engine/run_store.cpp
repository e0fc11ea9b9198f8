#include "engine/run_store.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/run_stats.h"

namespace tapeworks {
namespace {

/// Small chunks of a partition go into one block up to this size, so that it is worth a read.
constexpr size_t kBlockBytes = size_t{1} << 20;
/// A thread may have the block in one piece and its compressed form, whether it writes or reads.
constexpr uint64_t kSpillBytesPerThread = 2 * (kBlockBytes + RunStore::kChunkBytesMax);

}  // namespace

RunStore::RunStore(const RunStoreOptions& options, MemoryBudget& budget,
                   std::filesystem::path temp_folder)
    : temp_folder_(std::move(temp_folder)),
      arena_(budget, options.chunk_bytes),
      budget_(budget),
      partitions_(options.partition_count) {
  // Without this much there is no budget to speak of; the first chunk will say so.
  (void)budget_.try_reserve(options.thread_count * kSpillBytesPerThread, spill_buffers_);
  budget_.set_reclaimer(this);
}

RunStore::~RunStore() { budget_.set_reclaimer(nullptr); }

Status RunStore::explain(Error error) const {
  if (error.kind == ErrorKind::kMemoryBudget) TW_TRY(status());
  return std::unexpected(std::move(error));
}

Result<Chunk> RunStore::explained(Result<Chunk> chunk) const {
  if (!chunk) TW_TRY(explain(std::move(chunk.error())));
  return chunk;
}

Result<Chunk> RunStore::new_chunk() { return explained(arena_.allocate()); }

Status RunStore::append(size_t partition, Chunk chunk) {
  const std::scoped_lock lock(mutex_);
  if (spill_error_) return std::unexpected(*spill_error_);
  partitions_[partition].chunks.push_back(std::move(chunk));
  return {};
}

Status RunStore::append(size_t partition, std::span<const std::byte> bytes) {
  TW_ASSIGN(Chunk chunk, explained(arena_.allocate(bytes.size())));
  std::ranges::copy(bytes, chunk.data());
  chunk.set_size(bytes.size());
  return append(partition, std::move(chunk));
}

Status RunStore::status() const {
  const std::scoped_lock lock(mutex_);
  if (spill_error_) return std::unexpected(*spill_error_);
  return {};
}

void RunStore::reclaim() {
  const StageTimer timer(Stage::kSpill);
  // What an earlier spill has kept for the next chunks may be enough.
  if (arena_.release_kept()) return;
  std::unique_lock lock(mutex_);
  if (spill_error_) return;
  if (!file_) {
    auto file = SpillFile::create(temp_folder_ / "runs.spill");
    if (!file) {
      spill_error_ = std::move(file).error();
      return;
    }
    file_ = std::move(*file);
  }
  const uint64_t round = spill_round_;
  if (spiller_count_ == 0) {
    next_to_spill_ = 0;
    // Who spills is mostly about to fill new chunks.
    arena_.keep_returned(true);
  }
  ++spiller_count_;
  while (!spill_error_ && next_to_spill_ < partitions_.size()) {
    Partition& partition = partitions_[next_to_spill_++];
    if (partition.chunks.empty()) continue;
    auto chunks = std::exchange(partition.chunks, {});
    partition.is_being_spilled = true;
    lock.unlock();
    auto blocks = write_or_explain(std::move(chunks));
    lock.lock();
    partition.is_being_spilled = false;
    if (blocks) {
      partition.blocks.insert(partition.blocks.end(), blocks->begin(), blocks->end());
    } else if (!spill_error_) {
      spill_error_ = std::move(blocks).error();
    }
    spilled_.notify_all();
  }
  // What the others still write is memory that will be free in a moment.
  if (--spiller_count_ == 0) {
    arena_.keep_returned(false);
    ++spill_round_;
    spilled_.notify_all();
  } else {
    spilled_.wait(lock, [&] { return spill_round_ != round; });
  }
}

/// Nothing may be thrown past the others, who wait for the end of the round.
Result<std::vector<SpillBlock>> RunStore::write_or_explain(std::vector<Chunk> chunks) {
  try {
    return write_blocks(std::move(chunks));
  } catch (const std::bad_alloc&) {
    return over_budget("the system has no memory left for spilling");
  }
}

Result<std::vector<SpillBlock>> RunStore::write_blocks(std::vector<Chunk> chunks) {
  std::vector<SpillBlock> blocks;
  std::vector<SpillFile::Bytes> parts;
  size_t part_bytes = 0;
  SpillBuffer buffer;
  size_t first = 0;  // chunk of the block
  for (size_t next = 0; next < chunks.size();) {
    parts.push_back(chunks[next].bytes());
    part_bytes += chunks[next].size();
    ++next;
    if (part_bytes < kBlockBytes && next < chunks.size()) continue;
    TW_ASSIGN(const SpillBlock written, file_->append(parts, buffer));
    blocks.push_back(written);
    add_spilled_bytes(written.stored_bytes);
    for (; first < next; ++first) chunks[first] = Chunk();
    parts.clear();
    part_bytes = 0;
  }
  return blocks;
}

Status RunStore::for_each_chunk(size_t partition,
                                const std::function<Status(std::span<const std::byte>)>& visit) {
  // Chunks may move to the file while they are being visited; what is visited is held here.
  std::vector<Chunk> chunks;
  std::vector<SpillBlock> blocks;
  {
    std::unique_lock lock(mutex_);
    spilled_.wait(lock, [&] { return !partitions_[partition].is_being_spilled; });
    if (spill_error_) return std::unexpected(*spill_error_);
    chunks.swap(partitions_[partition].chunks);
    blocks = partitions_[partition].blocks;
  }
  Status status;
  for (const Chunk& chunk : chunks) {
    status = visit(chunk.bytes());
    if (!status) break;
  }
  {
    const std::scoped_lock lock(mutex_);
    auto& kept = partitions_[partition].chunks;
    for (Chunk& chunk : chunks) kept.push_back(std::move(chunk));
  }
  TW_TRY(status);
  SpillBuffer buffer;
  for (const SpillBlock& block : blocks) {
    SpillFile::Bytes bytes;
    {
      const StageTimer timer(Stage::kSpill);
      TW_ASSIGN(bytes, file_->read(block, buffer));
    }
    TW_TRY(visit(bytes));
  }
  return {};
}

void RunStore::drop(size_t partition) {
  std::vector<Chunk> chunks;
  const std::scoped_lock lock(mutex_);
  chunks.swap(partitions_[partition].chunks);
}

uint64_t RunStore::spilled_bytes() const {
  const std::scoped_lock lock(mutex_);
  return file_ ? file_->file_bytes() : 0;
}

}  // namespace tapeworks
