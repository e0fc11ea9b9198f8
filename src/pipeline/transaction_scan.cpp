#include "pipeline/transaction_scan.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <utility>

#include "base/interrupt.h"
#include "base/messages.h"
#include "base/progress.h"
#include "base/run_stats.h"
#include "base/thread_tasks.h"
#include "base/units.h"
#include "pipeline/row_group_scan.h"

namespace tapeworks {
namespace {

constexpr uint64_t kBadRowsCounted = 1000;
constexpr std::string_view kTooManyBadRows = "too many bad rows";
/// What the pages of seven columns and their dictionaries may take in one thread.
constexpr uint64_t kDecodeBytesPerThread = 24 * kMiB;

/// How a scan is cut to fit its budget. Nothing of it shows in the results.
struct ScanPlan {
  size_t partition_count = 1;
  size_t thread_count = 1;
  size_t chunk_bytes = 0;
};

ScanPlan plan_scan(int64_t row_count, size_t threads_wanted, const MemoryBudget& budget) {
  // A partition is reduced in one piece: a few hundred thousand groups, at 3.6 rows a group.
  constexpr int64_t kRowsPerPartition = 100'000;
  ScanPlan plan;
  plan.partition_count = std::bit_ceil(
      static_cast<uint64_t>(std::clamp<int64_t>(row_count / kRowsPerPartition, 8, 1024)));
  const uint64_t capacity = budget.capacity_bytes();
  plan.thread_count = std::clamp<size_t>(capacity / 2 / kDecodeBytesPerThread, 1, threads_wanted);
  plan.chunk_bytes = std::clamp<size_t>(capacity / 8 / (plan.thread_count * plan.partition_count),
                                        4 * kKiB, 16 * kKiB);
  return plan;
}

/// Cuts the files into pieces of whole row groups, or of parts of large ones, so that all threads
/// find work. A thread that begins within a row group passes over the pages before.
std::vector<RowGroupScanner::RowRange> cut_into_ranges(const std::vector<TransactionFile>& files,
                                                       int64_t row_count, size_t thread_count) {
  constexpr int64_t kPiecesPerThread = 8;
  constexpr int64_t kRowsMin = 256 * 1024;
  const int64_t pieces =
      thread_count == 1 ? 1 : static_cast<int64_t>(thread_count) * kPiecesPerThread;
  const int64_t rows_wanted = std::max(kRowsMin, row_count / pieces);
  std::vector<RowGroupScanner::RowRange> ranges;
  for (size_t file = 0; file < files.size(); ++file) {
    for (int row_group = 0; row_group < files[file].input.row_group_count(); ++row_group) {
      const int64_t rows = files[file].input.row_group_rows(row_group);
      // Not more than threads: each part reads past the ones before it.
      const int64_t parts =
          std::clamp<int64_t>(rows / rows_wanted, 1, static_cast<int64_t>(thread_count));
      for (int64_t part = 0; part < parts; ++part) {
        ranges.push_back({file, row_group, rows / parts * part,
                          part + 1 == parts ? rows : rows / parts * (part + 1)});
      }
    }
  }
  return ranges;
}

Result<std::vector<TransactionFile>> open_files(const std::vector<std::filesystem::path>& paths,
                                                const ScanOptions& options, MemoryBudget& budget) {
  std::vector<TransactionFile> files;
  for (const auto& path : paths) {
    TW_TRY(check_interrupt());
    TW_ASSIGN(TransactionFile file, TransactionFile::open(path, options.columns, options.mode,
                                                          options.amounts, options.days, budget));
    if (!files.empty() && files[0].price_reader.unit() != file.price_reader.unit()) {
      return corrupt(
          "{}: its prices are of another kind (text or binary floating point) than those of {}; "
          "with "
          "--amounts float64 all inputs must agree",
          path.string(), files[0].input.path().string());
    }
    files.push_back(std::move(file));
  }
  return files;
}

std::string place_text(const RowPlace& place, const std::vector<TransactionFile>& files) {
  return fmt::format("{}: row group {}, row {}", files[place.file].input.path().string(),
                     place.row_group, place.row);
}

/// What the bad rows mean for the run.
Status judge_bad_rows(const BadRowLog& log, const std::vector<TransactionFile>& files,
                      uint64_t row_count, const ScanOptions& options) {
  const auto first = log.first();
  if (!first) return {};
  const std::string what = fmt::format("{}: {}", place_text(first->place, files), describe(*first));
  const uint64_t count = log.count();
  if (options.on_bad_row == OnBadRow::kFail) {
    return corrupt("{} ({} bad row{}{}); correct the input or use --on-bad-row skip", what,
                   std::min(count, kBadRowsCounted), count == 1 ? "" : "s",
                   count >= kBadRowsCounted ? " or more" : "");
  }
  const uint64_t allowed = options.bad_rows_max.value_or(row_count / 10'000);
  if (count > allowed) {
    return corrupt("{}; of {} rows {} {} bad, more than the {} that --max-bad-rows allows", what,
                   row_count, count, count == 1 ? "is" : "are", allowed);
  }
  warn("{} bad row{} skipped; the first: {}", count, count == 1 ? " was" : "s were", what);
  return {};
}

/// Joins what the threads found.
TransactionRuns gather(ScanShared& shared, std::vector<std::unique_ptr<RowGroupScanner>>& scanners,
                       std::unique_ptr<RunStore> runs) {
  TransactionRuns result;
  result.runs = std::move(runs);
  result.symbols = shared.symbols.texts();
  result.brokers = shared.brokers.texts();
  result.brokers.insert(result.brokers.begin(), std::string{});
  result.first_day = kNullDay;
  result.last_day = kNullDay;
  result.records_by_symbol.resize(result.symbols.size());
  result.partition_of_symbol.resize(result.symbols.size());
  const std::vector<std::string> names = shared.broker_names.texts();
  std::map<uint32_t, std::pair<Day, std::string>> latest_names;
  for (const auto& scanner : scanners) {
    const auto& records = scanner->collector().records_by_symbol();
    for (size_t symbol = 0; symbol < records.size(); ++symbol) {
      result.records_by_symbol[symbol] += records[symbol];
    }
    for (size_t i = 0; i < result.problems.size(); ++i) {
      result.problems[i] += scanner->problems()[i];
    }
    if (scanner->first_day() != kNullDay) {
      result.first_day = result.first_day == kNullDay
                             ? scanner->first_day()
                             : std::min(result.first_day, scanner->first_day());
    }
    result.last_day = std::max(result.last_day, scanner->last_day());
    for (uint32_t broker = 0; broker < scanner->names().size(); ++broker) {
      const auto& seen = scanner->names()[broker];
      if (seen.name == RowGroupScanner::kNoName) continue;
      const std::string& name = names[seen.name];
      const auto [entry, is_new] = latest_names.try_emplace(broker, seen.day, name);
      auto& [day, text] = entry->second;
      if (!is_new && (seen.day > day || (seen.day == day && name < text))) {
        entry->second = {seen.day, name};
      }
    }
  }
  for (auto& [broker, seen] : latest_names) result.broker_names[broker] = std::move(seen.second);
  for (size_t symbol = 0; symbol < result.symbols.size(); ++symbol) {
    result.partition_of_symbol[symbol] =
        partition_of(result.symbols[symbol], shared.partition_count);
  }
  return result;
}

}  // namespace

Result<TransactionRuns> scan_transactions(const std::vector<std::filesystem::path>& paths,
                                          const ScanOptions& options, MemoryBudget& budget,
                                          const std::filesystem::path& temp_folder) {
  PhaseTimer timer("scan");
  TW_ASSIGN(const std::vector<TransactionFile> files, open_files(paths, options, budget));
  int64_t row_count = 0;
  for (const TransactionFile& file : files) row_count += file.input.row_count();

  const ScanPlan plan = plan_scan(row_count, options.thread_count, budget);
  const auto ranges = cut_into_ranges(files, row_count, plan.thread_count);
  Reservation collector_memory;
  const uint64_t collector_bytes =
      plan.thread_count * GroupCollector::memory_bytes(plan.partition_count);
  if (!budget.try_reserve(collector_bytes, collector_memory)) {
    return over_budget("the scan needs {} for its tables; give more --memory",
                       format_byte_size(collector_bytes));
  }
  ScanShared shared(budget);
  shared.mode = options.mode;
  shared.partition_count = plan.partition_count;
  auto runs = std::make_unique<RunStore>(
      RunStoreOptions{plan.partition_count, plan.chunk_bytes, plan.thread_count}, budget,
      temp_folder);
  std::vector<std::unique_ptr<RowGroupScanner>> scanners;
  for (size_t i = 0; i < plan.thread_count; ++i) {
    scanners.push_back(std::make_unique<RowGroupScanner>(shared, *runs, budget));
  }

  Progress progress("reading", static_cast<uint64_t>(row_count));
  std::atomic<bool> too_many_bad_rows{false};
  const Status scanned =
      run_tasks(ranges.size(), plan.thread_count, [&](size_t index, size_t worker) -> Status {
        const auto& range = ranges[index];
        TW_TRY(scanners[worker]->scan(files[range.file_index], range));
        progress.add(static_cast<uint64_t>(range.end - range.begin));
        if (options.on_bad_row == OnBadRow::kFail && shared.bad_rows.count() >= kBadRowsCounted) {
          too_many_bad_rows.store(true, std::memory_order_relaxed);
          return corrupt("{}", kTooManyBadRows);
        }
        return {};
      });
  // Only the stop that we asked for gives way to the judgement of the bad rows.
  if (!scanned && !(too_many_bad_rows.load(std::memory_order_relaxed) &&
                    scanned.error().message == kTooManyBadRows)) {
    TW_TRY(runs->explain(scanned.error()));
  }
  TW_TRY(judge_bad_rows(shared.bad_rows, files, static_cast<uint64_t>(row_count), options));
  for (const auto& scanner : scanners) TW_TRY(scanner->finish());

  TransactionRuns result = gather(shared, scanners, std::move(runs));
  result.unit = files.empty() ? AmountUnit::kBinary40 : files[0].price_reader.unit();
  result.row_count = static_cast<uint64_t>(row_count);
  timer.add_rows(result.row_count);
  add_run_rows(result.row_count);
  return result;
}

}  // namespace tapeworks
