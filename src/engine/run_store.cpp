#include "engine/run_store.h"

#include <algorithm>
#include <new>
#include <system_error>
#include <utility>

#include "base/run_stats.h"
#include "base/units.h"

namespace tapeworks {
namespace {

/// Small chunks of a partition go into one block up to this size, so that it is worth a read.
constexpr size_t kBlockBytes = size_t{1} << 20;
/// A thread may have the block in one piece and its compressed form, whether it writes or reads.
constexpr uint64_t kSpillBytesPerThread = 2 * (kBlockBytes + RunStore::kChunkBytesMax);
/// Spilling ahead begins when less than this part of the budget is free, and goes on until that
/// much is. Partitions are as long as possible when they are written, because they are read back
/// block by block; what is free is enough for the pages and dictionaries of the scan beside.
constexpr uint64_t kLowDivisor = 12;
constexpr uint64_t kEnoughDivisor = 6;
/// What one thread frees another one may take.
constexpr int kSpillRoundsMax = 3;

std::unexpected<Error> no_memory_for_spilling() {
  return over_budget("the system has no memory left for spilling");
}

/// False where the system has no thread left; then everything is done by those that ask for it.
template <typename Work>
bool start_thread(std::thread& thread, Work work) {
  try {
    thread = std::thread(std::move(work));
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

}  // namespace

RunStore::RunStore(const RunStoreOptions& options, MemoryBudget& budget,
                   std::filesystem::path temp_folder)
    : temp_folder_(std::move(temp_folder)),
      arena_(budget, options.chunk_bytes),
      budget_(budget),
      partitions_(options.partition_count) {
  // Without this much there is no budget to speak of; the first chunk will say so.
  (void)budget_.try_reserve((options.thread_count + 1) * kSpillBytesPerThread, spill_buffers_);
  budget_.set_reclaimer(this);
}

RunStore::~RunStore() {
  {
    const std::scoped_lock lock(mutex_);
    is_ending_ = true;
  }
  memory_is_low_.notify_one();
  prefetch_is_wanted_.notify_one();
  if (spiller_.joinable()) spiller_.join();
  if (reader_.joinable()) reader_.join();
  budget_.set_reclaimer(nullptr);
}

Status RunStore::explain(Error error) const {
  if (error.kind == ErrorKind::kMemoryBudget) TW_TRY(status());
  return std::unexpected(std::move(error));
}

Result<Chunk> RunStore::new_chunk() { return allocate(arena_.chunk_bytes()); }

Result<Chunk> RunStore::allocate(size_t bytes) {
  const size_t wanted_bytes = arena_.capacity_for(bytes);
  for (int round = 0;; ++round) {
    if (auto chunk = arena_.try_allocate(bytes)) return *std::move(chunk);
    TW_TRY(status());
    if (round == kSpillRoundsMax) {
      return over_budget("the memory budget of {} is too small; give more --memory",
                         format_byte_size(budget_.resident_limit_bytes()));
    }
    // One of the usual size comes of what is kept; another one needs memory that is given back.
    if (wanted_bytes > arena_.chunk_bytes()) {
      reclaim(wanted_bytes);
    } else {
      make_room(wanted_bytes);
    }
  }
}

Status RunStore::append(size_t partition, Chunk chunk) {
  const std::scoped_lock lock(mutex_);
  if (spill_error_) return std::unexpected(*spill_error_);
  partitions_[partition].chunks.push_back(std::move(chunk));
  spill_ahead_if_low();
  return {};
}

Status RunStore::append(size_t partition, std::span<const std::byte> bytes) {
  TW_ASSIGN(Chunk chunk, allocate(bytes.size()));
  std::ranges::copy(bytes, chunk.data());
  chunk.set_size(bytes.size());
  return append(partition, std::move(chunk));
}

Status RunStore::status() const {
  const std::scoped_lock lock(mutex_);
  if (spill_error_) return std::unexpected(*spill_error_);
  return {};
}

uint64_t RunStore::free_bytes() const { return budget_.available_bytes() + arena_.kept_bytes(); }

void RunStore::spill_ahead_if_low() {
  if (spill_ahead_ == SpillAhead::kEnded) return;
  if (free_bytes() >= budget_.capacity_bytes() / kLowDivisor) return;
  if (spill_ahead_ == SpillAhead::kNotYet) {
    const bool has_started = start_thread(spiller_, [this] { spill_ahead(); });
    spill_ahead_ = has_started ? SpillAhead::kRunning : SpillAhead::kEnded;
  }
  memory_is_low_.notify_one();
}

void RunStore::spill_ahead() {
  const uint64_t low_bytes = budget_.capacity_bytes() / kLowDivisor;
  const uint64_t enough_bytes = budget_.capacity_bytes() / kEnoughDivisor;
  std::unique_lock lock(mutex_);
  const auto is_over = [&] {
    return is_ending_ || spill_error_ || spill_ahead_ == SpillAhead::kEnded;
  };
  while (!is_over()) {
    const bool has_spilled = spill_until(enough_bytes, lock);
    if (is_over()) return;
    // Where there was nothing to spill, there will be with the next chunk.
    if (!has_spilled || free_bytes() >= low_bytes) memory_is_low_.wait(lock);
  }
}

void RunStore::end_spilling_ahead() {
  {
    const std::scoped_lock lock(mutex_);
    if (spill_ahead_ == SpillAhead::kEnded) return;
    spill_ahead_ = SpillAhead::kEnded;
  }
  memory_is_low_.notify_one();
}

/// Spills one partition after the other; false when there was nothing to spill.
bool RunStore::spill_until(uint64_t enough_bytes, std::unique_lock<std::mutex>& lock) {
  bool has_spilled = false;
  for (size_t i = 0; i < partitions_.size() && free_bytes() < enough_bytes; ++i) {
    if (is_ending_ || spill_error_ || !has_file()) return has_spilled;
    Partition& partition = partitions_[next_to_spill_];
    next_to_spill_ = (next_to_spill_ + 1) % partitions_.size();
    if (partition.chunks.empty()) continue;
    spill(partition, lock);
    has_spilled = true;
  }
  return has_spilled;
}

/// False when it cannot be made, which is the store's failure then.
bool RunStore::has_file() {
  if (file_) return true;
  auto file = SpillFile::create(temp_folder_ / "runs.spill");
  if (!file) {
    spill_error_ = std::move(file).error();
    return false;
  }
  file_ = std::move(*file);
  return true;
}

/// Writes what the partition has in memory; without the lock meanwhile.
void RunStore::spill(Partition& partition, std::unique_lock<std::mutex>& lock) {
  auto chunks = std::exchange(partition.chunks, {});
  ++partition.spills_in_progress;
  ++spills_in_progress_;
  lock.unlock();
  auto blocks = [&] {
    const StageTimer timer(Stage::kSpill);
    return write_or_explain(std::move(chunks));
  }();
  lock.lock();
  --partition.spills_in_progress;
  --spills_in_progress_;
  try {
    if (blocks) partition.blocks.insert(partition.blocks.end(), blocks->begin(), blocks->end());
  } catch (const std::bad_alloc&) {
    blocks = no_memory_for_spilling();
  }
  if (!blocks && !spill_error_) spill_error_ = std::move(blocks).error();
  progress_.notify_all();
}

/// Somewhat more than is wanted, so that the next ones who want some find it.
void RunStore::make_room(uint64_t wanted_bytes) {
  const uint64_t enough_bytes = wanted_bytes + budget_.capacity_bytes() / kEnoughDivisor;
  std::unique_lock lock(mutex_);
  spill_until(enough_bytes, lock);
  // What the others still write is memory that will be free in a moment.
  progress_.wait(lock, [&] { return free_bytes() >= wanted_bytes || spills_in_progress_ == 0; });
}

void RunStore::reclaim(uint64_t wanted_bytes) {
  const StageTimer timer(Stage::kSpill);
  if (free_bytes() < wanted_bytes) discard_prefetches();
  if (free_bytes() < wanted_bytes) make_room(wanted_bytes);
  // The wanted bytes are not those of a chunk.
  arena_.release_kept();
}

/// Nothing may be thrown past the others, who wait for the end of the round.
Result<std::vector<SpillBlock>> RunStore::write_or_explain(std::vector<Chunk> chunks) {
  try {
    return write_blocks(std::move(chunks));
  } catch (const std::bad_alloc&) {
    return no_memory_for_spilling();
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
  end_spilling_ahead();
  // Chunks may move to the file while they are being visited; what is visited is held here.
  std::vector<Chunk> chunks;
  std::vector<SpillBlock> blocks;
  std::unique_ptr<Prefetch> prefetch;
  {
    std::unique_lock lock(mutex_);
    Partition& visited = partitions_[partition];
    progress_.wait(lock, [&] {
      return visited.spills_in_progress == 0 &&
             (visited.prefetch == nullptr || visited.prefetch->state == Prefetch::State::kDone);
    });
    if (spill_error_) return std::unexpected(*spill_error_);
    chunks.swap(visited.chunks);
    blocks = visited.blocks;
    prefetch = std::move(visited.prefetch);
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
  size_t next = 0;
  if (prefetch != nullptr) {
    for (; next < prefetch->bytes.size(); ++next) TW_TRY(visit(prefetch->bytes[next]));
    prefetch.reset();
  }
  SpillBuffer buffer;
  for (; next < blocks.size(); ++next) {
    SpillFile::Bytes bytes;
    {
      const StageTimer timer(Stage::kSpill);
      TW_ASSIGN(bytes, file_->read(blocks[next], buffer));
    }
    TW_TRY(visit(bytes));
  }
  return {};
}

void RunStore::prefetch(size_t partition) {
  end_spilling_ahead();
  const std::scoped_lock lock(mutex_);
  Partition& wanted = partitions_[partition];
  if (wanted.prefetch != nullptr || wanted.blocks.empty()) return;
  auto prefetch = std::make_unique<Prefetch>();
  prefetch->blocks = wanted.blocks;
  uint64_t bytes = 0;
  for (const SpillBlock& block : prefetch->blocks) bytes += SpillBuffer::bytes_for(block);
  if (free_bytes() < bytes + budget_.capacity_bytes() / kLowDivisor) return;
  if (budget_.available_bytes() < bytes) arena_.release_kept();
  if (!budget_.try_reserve_at_once(bytes, prefetch->memory)) return;
  if (!reader_.joinable() && !start_thread(reader_, [this] { read_prefetches(); })) return;
  prefetches_.push_back(prefetch.get());
  wanted.prefetch = std::move(prefetch);
  prefetch_is_wanted_.notify_one();
}

void RunStore::read_prefetches() {
  std::unique_lock lock(mutex_);
  while (true) {
    prefetch_is_wanted_.wait(lock, [&] { return is_ending_ || !prefetches_.empty(); });
    if (is_ending_) return;
    Prefetch& prefetch = *prefetches_.front();
    prefetches_.pop_front();
    prefetch.state = Prefetch::State::kReading;
    lock.unlock();
    read_blocks(prefetch);
    lock.lock();
    prefetch.state = Prefetch::State::kDone;
    progress_.notify_all();
  }
}

/// As many as can be read; the visit tries the others again and says what is wrong.
void RunStore::read_blocks(Prefetch& prefetch) const {
  const StageTimer timer(Stage::kSpill);
  try {
    prefetch.buffers = std::vector<SpillBuffer>(prefetch.blocks.size());
    prefetch.bytes.reserve(prefetch.blocks.size());
    for (size_t i = 0; i < prefetch.blocks.size(); ++i) {
      const auto bytes = file_->read(prefetch.blocks[i], prefetch.buffers[i]);
      if (!bytes) return;
      prefetch.bytes.push_back(*bytes);
    }
  } catch (const std::bad_alloc&) {
    return;
  }
}

/// All but the one that is just being read.
void RunStore::discard_prefetches() {
  const std::scoped_lock lock(mutex_);
  prefetches_.clear();
  for (Partition& partition : partitions_) {
    const bool is_unused =
        partition.prefetch != nullptr && partition.prefetch->state != Prefetch::State::kReading;
    if (is_unused) partition.prefetch.reset();
  }
  // A visit may be waiting for one of them.
  progress_.notify_all();
}

uint64_t RunStore::prefetched_bytes() const {
  const std::scoped_lock lock(mutex_);
  uint64_t sum = 0;
  for (const Partition& partition : partitions_) {
    if (partition.prefetch == nullptr || partition.prefetch->state != Prefetch::State::kDone) {
      continue;
    }
    for (const SpillFile::Bytes bytes : partition.prefetch->bytes) sum += bytes.size();
  }
  return sum;
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
