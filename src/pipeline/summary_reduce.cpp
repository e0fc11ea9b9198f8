#include "pipeline/summary_reduce.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <mutex>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "base/interrupt.h"
#include "base/progress.h"
#include "base/run_stats.h"
#include "base/thread_tasks.h"
#include "base/units.h"
#include "pipeline/partition_sorter.h"

namespace tapeworks {
namespace {

/// Passes of fewer records than this are not worth it: then the budget is too small.
constexpr uint64_t kPassRecordsMin = uint64_t{32} * 1024;
/// What a thread needs beside its pass: buffers for reading spilled blocks and for files.
constexpr uint64_t kFileBytes = 8 * kMiB;

/// One partition: its symbols that have records, in bytewise order.
struct PartitionTask {
  size_t partition = 0;
  std::vector<uint32_t> symbols;
  uint64_t record_count = 0;
};

/// Large partitions first, so that the threads end at about the same time.
std::vector<PartitionTask> make_tasks(const TransactionRuns& runs) {
  std::vector<uint32_t> order(runs.symbols.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::sort(order,
                    [&](uint32_t a, uint32_t b) { return runs.symbols[a] < runs.symbols[b]; });
  std::vector<PartitionTask> tasks(runs.runs->partition_count());
  for (size_t partition = 0; partition < tasks.size(); ++partition) {
    tasks[partition].partition = partition;
  }
  for (const uint32_t symbol : order) {
    if (runs.records_by_symbol[symbol] == 0) continue;
    PartitionTask& task = tasks[runs.partition_of_symbol[symbol]];
    task.symbols.push_back(symbol);
    task.record_count += runs.records_by_symbol[symbol];
  }
  std::erase_if(tasks, [](const PartitionTask& task) { return task.symbols.empty(); });
  std::ranges::sort(tasks, [](const PartitionTask& a, const PartitionTask& b) {
    return a.record_count != b.record_count ? a.record_count > b.record_count
                                            : a.partition < b.partition;
  });
  return tasks;
}

/// The memory for sorting: one share a thread, asked for once.
class PassMemory {
 public:
  /// kMemoryBudget when not even small passes are possible.
  static Result<PassMemory> reserve(MemoryBudget& budget, size_t thread_count,
                                    uint64_t largest_task_records) {
    PassMemory memory;
    // The other half is for summaries, files on their way to the disk, and runs.
    uint64_t records =
        budget.capacity_bytes() / 2 / thread_count / PartitionSorter::kBytesPerRecord;
    records = std::clamp<uint64_t>(largest_task_records, 1, std::max(records, kPassRecordsMin));
    while (!budget.try_reserve(records * thread_count * PartitionSorter::kBytesPerRecord,
                               memory.reservation_)) {
      if (records <= kPassRecordsMin) {
        return over_budget(
            "there is no memory left for sorting ({} are needed); give more --memory",
            format_byte_size(records * thread_count * PartitionSorter::kBytesPerRecord));
      }
      records = std::max(records / 2, kPassRecordsMin);
    }
    memory.records_max_ = records;
    return memory;
  }

  /// Records of one pass.
  uint64_t records_max() const { return records_max_; }

 private:
  Reservation reservation_;
  uint64_t records_max_ = 0;
};

/// The work of one thread: partition after partition.
class PartitionReducer {
 public:
  PartitionReducer(const RecordOrder& order, uint64_t pass_records_max, MemoryBudget& budget,
                   const SummarySink& sink)
      : order_(order),
        pass_records_max_(pass_records_max),
        budget_(budget),
        sink_(sink),
        sorter_(order) {}

  Status reduce(const PartitionTask& task) {
    const std::span<const uint32_t> symbols(task.symbols);
    size_t next = 0;
    while (next < symbols.size()) {
      SortPass pass;
      size_t end = next;
      while (end < symbols.size() &&
             pass.record_count + records_of(symbols[end]) <= pass_records_max_) {
        pass.record_count += records_of(symbols[end++]);
      }
      if (end == next) {
        TW_TRY(reduce_large_symbol(task.partition, symbols.subspan(next, 1)));
        ++next;
        continue;
      }
      pass.symbols = symbols.subspan(next, end - next);
      TW_TRY(reduce_pass(task.partition, pass));
      next = end;
    }
    order_.runs.runs->drop(task.partition);
    return {};
  }

 private:
  uint64_t records_of(uint32_t symbol) const { return order_.runs.records_by_symbol[symbol]; }

  void start_summary(uint32_t symbol) {
    summary_.symbol = order_.runs.symbols[symbol];
    summary_.clear_rows();
  }

  Status sort(size_t partition, const SortPass& pass) {
    const StageTimer timer(Stage::kSort);
    return sorter_.load(partition, pass);
  }

  Status append_rows(size_t position) {
    const StageTimer timer(Stage::kSort);
    return sorter_.append_rows(position, summary_);
  }

  Status reduce_pass(size_t partition, const SortPass& pass) {
    TW_TRY(sort(partition, pass));
    for (size_t position = 0; position < pass.symbols.size(); ++position) {
      start_summary(pass.symbols[position]);
      TW_TRY(append_rows(position));
      TW_TRY(sink_(pass.symbols[position], summary_));
      TW_TRY(check_interrupt());
    }
    return {};
  }

  static uint64_t pass_bytes(uint64_t record_count, uint64_t excess) {
    return record_count * PartitionSorter::kRowBytes +
           excess * PartitionSorter::kSortBytesPerRecord;
  }

  /// What all of its passes need, not only those so far.
  std::unexpected<Error> too_large(uint32_t symbol, std::span<const uint64_t> records) const {
    const uint64_t largest = *std::ranges::max_element(records);
    const uint64_t bytes = pass_bytes(std::accumulate(records.begin(), records.end(), uint64_t{0}),
                                      largest - std::min(largest, pass_records_max_));
    // The rows as columns that are encoded, and what is known of the input beside them.
    constexpr uint64_t kBesideBytes = 32 * kMiB;
    const uint64_t enough = budget_.resident_limit_bytes() + bytes + bytes / 4 + kBesideBytes;
    return over_budget("symbol {} needs {} of memory; try --memory {}MiB or more",
                       order_.runs.symbols[symbol], format_byte_size(bytes), enough / kMiB + 1);
  }

  /// A symbol with more records than a pass may have: one pass for a range of brokers at a time.
  Status reduce_large_symbol(size_t partition, std::span<const uint32_t> symbol) {
    TW_ASSIGN(const std::vector<uint64_t> records, records_by_rank(partition, symbol[0]));
    start_summary(symbol[0]);
    Reservation rows_memory(budget_);
    uint64_t record_count = 0;
    uint64_t excess = 0;  // of the largest pass, whose memory the sorter keeps
    SortPass pass{symbol, 0, 0, 0};
    while (pass.end_rank < records.size()) {
      pass.first_rank = pass.end_rank;
      pass.record_count = records[pass.end_rank++];
      while (pass.end_rank < records.size() &&
             pass.record_count + records[pass.end_rank] <= pass_records_max_) {
        pass.record_count += records[pass.end_rank++];
      }
      record_count += pass.record_count;
      // One account may be larger than a pass; and the rows of all passes are kept.
      excess = std::max(excess, pass.record_count - std::min(pass.record_count, pass_records_max_));
      if (!rows_memory.resize(pass_bytes(record_count, excess))) {
        return too_large(symbol[0], records);
      }
      TW_TRY(sort(partition, pass));
      TW_TRY(append_rows(0));
    }
    const Status done = sink_(symbol[0], summary_);
    sorter_.release_memory();
    summary_ = DailySummary{};
    return done;
  }

  /// How many records of the symbol each broker has, by rank.
  Result<std::vector<uint64_t>> records_by_rank(size_t partition, uint32_t symbol) const {
    std::vector<uint64_t> counts(order_.broker_by_rank.size());
    DecodedRecord record;
    TW_TRY(order_.runs.runs->for_each_chunk(
        partition, [&](std::span<const std::byte> chunk) -> Status {
          for (RecordUnpacker unpacker(chunk); !unpacker.at_end();) {
            unpacker.next(record);
            if (record.symbol == symbol) ++counts[order_.broker_rank[record.broker]];
          }
          return check_interrupt();
        }));
    return counts;
  }

  const RecordOrder& order_;
  uint64_t pass_records_max_;
  MemoryBudget& budget_;
  const SummarySink& sink_;
  PartitionSorter sorter_;
  DailySummary summary_;
};

}  // namespace

Status reduce_to_summaries(TransactionRuns& runs, const ReduceOptions& options,
                           MemoryBudget& budget, const SummarySink& sink) {
  PhaseTimer timer("reduce");
  const RecordOrder order(runs, options.mode, options.amounts);
  const std::vector<PartitionTask> tasks = make_tasks(runs);
  if (tasks.empty()) return {};
  // Where memory is short, fewer threads have enough of it.
  const uint64_t least_bytes = kPassRecordsMin * PartitionSorter::kBytesPerRecord + kFileBytes;
  const auto threads_max = static_cast<size_t>(budget.capacity_bytes() / 2 / least_bytes);
  const size_t thread_count = std::clamp<size_t>(std::min(options.thread_count, tasks.size()), 1,
                                                 std::max<size_t>(threads_max, 1));
  TW_ASSIGN(const PassMemory memory,
            PassMemory::reserve(budget, thread_count, tasks.front().record_count));
  std::vector<std::unique_ptr<PartitionReducer>> reducers;
  reducers.reserve(thread_count);
  for (size_t i = 0; i < thread_count; ++i) {
    reducers.push_back(
        std::make_unique<PartitionReducer>(order, memory.records_max(), budget, sink));
  }
  Progress progress("writing", runs.symbols.size());
  const Status reduced =
      run_tasks(tasks.size(), thread_count, [&](size_t index, size_t worker) -> Status {
        // The next one that nobody has yet, so that it need not be waited for then.
        if (const size_t next = index + thread_count; next < tasks.size()) {
          runs.runs->prefetch(tasks[next].partition);
        }
        TW_TRY(reducers[worker]->reduce(tasks[index]));
        progress.add(tasks[index].symbols.size());
        return {};
      });
  return reduced ? reduced : runs.runs->explain(reduced.error());
}

}  // namespace tapeworks
