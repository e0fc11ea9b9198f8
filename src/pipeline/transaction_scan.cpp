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
#include "storage/row_group_hash.h"

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

/// `inputs` may be null; else it gets the hashes of the footers.
Result<std::vector<TransactionFile>> open_files(const std::vector<std::filesystem::path>& paths,
                                                const ScanOptions& options, MemoryBudget& budget,
                                                InputFacts* inputs) {
  std::vector<std::optional<TransactionFile>> opened(paths.size());
  if (inputs != nullptr) inputs->footer_xxh3.resize(paths.size());
  TW_TRY(run_tasks(paths.size(), opening_thread_count(paths), [&](size_t index, size_t) -> Status {
    TW_ASSIGN(opened[index], TransactionFile::open(paths[index], options.columns, options.mode,
                                                   options.amounts, options.days, budget));
    if (inputs != nullptr)
      inputs->footer_xxh3[index] = footer_hash(opened[index]->input).value_or(0);
    return {};
  }));
  std::vector<TransactionFile> files;
  for (auto& file : opened) {
    if (!files.empty() && files[0].price_reader.unit() != file->price_reader.unit()) {
      return corrupt(
          "{}: its prices are of another kind (text or binary floating point) than those of {}; "
          "with "
          "--amounts float64 all inputs must agree",
          file->input.path().string(), files[0].input.path().string());
    }
    files.push_back(*std::move(file));
  }
  return files;
}

std::string place_text(const RowPlace& place, const std::vector<TransactionFile>& files) {
  return fmt::format("{}: row group {}, row {}", files[place.file].input.path().string(),
                     place.row_group, place.row);
}

/// What the bad rows mean for the run. `skipped_count` are those of the whole input; the log has
/// only those that were read now.
Status judge_bad_rows(const BadRowLog& log, uint64_t skipped_count,
                      const std::vector<TransactionFile>& files, uint64_t row_count,
                      const ScanOptions& options) {
  const auto first = log.first();
  if (!first && skipped_count == 0) return {};
  const std::string what =
      first ? fmt::format("{}: {}", place_text(first->place, files), describe(*first))
            : std::string("the bad rows are in inputs that an earlier run has read");
  const uint64_t count = options.on_bad_row == OnBadRow::kFail ? log.count() : skipped_count;
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
TransactionRuns gather(ScanShared& shared, const ScanFacts& facts,
                       const std::vector<std::unique_ptr<RowGroupScanner>>& scanners,
                       std::unique_ptr<RunStore> runs) {
  TransactionRuns result;
  result.runs = std::move(runs);
  result.symbols = shared.symbols.texts();
  result.brokers = shared.brokers.texts();
  result.brokers.insert(result.brokers.begin(), std::string{});
  result.records_by_symbol.resize(result.symbols.size());
  result.partition_of_symbol.resize(result.symbols.size());
  for (const auto& scanner : scanners) {
    const auto& records = scanner->collector().records_by_symbol();
    for (size_t symbol = 0; symbol < records.size(); ++symbol) {
      result.records_by_symbol[symbol] += records[symbol];
    }
  }
  for (size_t symbol = 0; symbol < result.symbols.size(); ++symbol) {
    result.partition_of_symbol[symbol] =
        partition_of(result.symbols[symbol], shared.partition_count);
  }
  result.problems = facts.problems();
  result.first_day = facts.first_day();
  result.last_day = facts.last_day();
  const std::vector<std::string> names = shared.broker_names.texts();
  for (const auto& [broker, seen] : facts.names()) result.broker_names[broker] = names[seen.name];
  return result;
}

/// Gives the texts of known row groups the numbers by which these refer to them, and each file an
/// entry for each of its row groups.
Status prepare_facts(InputFacts& inputs, const std::vector<TransactionFile>& files,
                     ScanShared& shared) {
  for (size_t broker = 1; broker < inputs.brokers.size(); ++broker) {
    shared.brokers.intern(inputs.brokers[broker]);
  }
  for (const std::string& name : inputs.names) shared.broker_names.intern(name);
  inputs.files.resize(files.size());
  for (size_t file = 0; file < files.size(); ++file) {
    const ParquetInput& input = files[file].input;
    auto& row_groups = inputs.files[file];
    const auto count = static_cast<size_t>(input.row_group_count());
    if (!row_groups.empty() && row_groups.size() != count) {
      return io_error("{} was changed while it was being read; run again when it is complete",
                      input.path().string());
    }
    row_groups.resize(count);
    for (size_t i = 0; i < count; ++i) {
      row_groups[i].row_count = static_cast<uint64_t>(input.row_group_rows(static_cast<int>(i)));
    }
  }
  return shared.reserve_dictionaries();
}

/// One scan: its threads, and the ranges that they take.
class Scan {
 public:
  Scan(const std::vector<TransactionFile>& files, const ScanOptions& options, ScanShared& shared,
       ScanFacts& facts, InputFacts* inputs)
      : files_(files), options_(options), shared_(shared), facts_(facts), inputs_(inputs) {}

  void add_thread(RunStore& runs, MemoryBudget& budget) {
    scanners_.push_back(std::make_unique<RowGroupScanner>(shared_, runs, budget));
  }
  const std::vector<std::unique_ptr<RowGroupScanner>>& scanners() const { return scanners_; }
  uint64_t row_count() const { return row_count_.load(std::memory_order_relaxed); }

  /// Everything, or only the rows of days that are replaced from row groups that are known.
  Status read_all(const std::vector<RowGroupScanner::RowRange>& ranges, RunStore& runs) {
    std::vector<RowGroupScanner::RowRange> fresh;
    std::vector<RowGroupScanner::RowRange> known;
    for (const auto& range : ranges) (is_known(range) ? known : fresh).push_back(range);
    TW_TRY(read(fresh, runs));
    if (known.empty()) return {};
    const std::set<Day>& replaced = inputs_->replaced_days;
    std::erase_if(known, [&](const auto& range) {
      return std::ranges::none_of(known_facts(range).days,
                                  [&](Day day) { return replaced.contains(day); });
    });
    shared_.wanted_days = &replaced;
    const Status done = read(known, runs);
    shared_.wanted_days = nullptr;
    return done;
  }

 private:
  const RowGroupFacts& known_facts(const RowGroupScanner::RowRange& range) const {
    return inputs_->files[range.file_index][static_cast<size_t>(range.row_group)];
  }
  bool is_known(const RowGroupScanner::RowRange& range) const {
    return inputs_ != nullptr && known_facts(range).is_known;
  }

  Status read(const std::vector<RowGroupScanner::RowRange>& ranges, RunStore& runs) {
    uint64_t rows = 0;
    for (const auto& range : ranges) rows += static_cast<uint64_t>(range.end - range.begin);
    Progress progress("reading", rows);
    std::atomic<bool> too_many_bad_rows{false};
    const Status scanned =
        run_tasks(ranges.size(), scanners_.size(), [&](size_t index, size_t worker) -> Status {
          TW_TRY(read_range(ranges[index], *scanners_[worker]));
          progress.add(static_cast<uint64_t>(ranges[index].end - ranges[index].begin));
          if (options_.on_bad_row == OnBadRow::kFail &&
              shared_.bad_rows.count() >= kBadRowsCounted) {
            too_many_bad_rows.store(true, std::memory_order_relaxed);
            return corrupt("{}", kTooManyBadRows);
          }
          return {};
        });
    row_count_.fetch_add(rows, std::memory_order_relaxed);
    // Only the stop that we asked for gives way to the judgement of the bad rows.
    if (!scanned && !(too_many_bad_rows.load(std::memory_order_relaxed) &&
                      scanned.error().message == kTooManyBadRows)) {
      TW_TRY(runs.explain(scanned.error()));
    }
    return {};
  }

  Status read_range(const RowGroupScanner::RowRange& range, RowGroupScanner& scanner) {
    const TransactionFile& file = files_[range.file_index];
    TW_TRY(scanner.scan(file, range));
    RowGroupFacts facts = scanner.take_facts();
    if (is_known(range)) return {};  // these are but a part of what is known
    // The row group has just been read, so that its bytes need not come from the disk again.
    if (inputs_ != nullptr && range.begin == 0) {
      facts.xxh3 = row_group_hash(file.input, range.row_group);
    }
    facts_.add(range.file_index, range.row_group, std::move(facts),
               [&](uint32_t a, uint32_t b) { return shared_.broker_names.less(a, b); });
    return {};
  }

  const std::vector<TransactionFile>& files_;
  const ScanOptions& options_;
  ScanShared& shared_;
  ScanFacts& facts_;
  InputFacts* inputs_;
  std::vector<std::unique_ptr<RowGroupScanner>> scanners_;
  std::atomic<uint64_t> row_count_{0};
};

}  // namespace

Result<TransactionRuns> scan_transactions(const std::vector<std::filesystem::path>& paths,
                                          const ScanOptions& options, MemoryBudget& budget,
                                          const std::filesystem::path& temp_folder,
                                          InputFacts* inputs) {
  PhaseTimer timer("scan");
  TW_ASSIGN(const std::vector<TransactionFile> files, open_files(paths, options, budget, inputs));
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
  if (inputs != nullptr) TW_TRY(prepare_facts(*inputs, files, shared));
  ScanFacts facts(inputs, budget);
  facts.add_known([&](uint32_t a, uint32_t b) { return shared.broker_names.less(a, b); });
  Scan scan(files, options, shared, facts, inputs);
  for (size_t i = 0; i < plan.thread_count; ++i) scan.add_thread(*runs, budget);
  TW_TRY(scan.read_all(ranges, *runs));
  TW_TRY(judge_bad_rows(shared.bad_rows, facts.bad_row_count(), files,
                        static_cast<uint64_t>(row_count), options));
  for (const auto& scanner : scan.scanners()) TW_TRY(scanner->finish());

  TransactionRuns result = gather(shared, facts, scan.scanners(), std::move(runs));
  if (inputs != nullptr) {
    inputs->brokers = result.brokers;
    inputs->names = shared.broker_names.texts();
  }
  result.unit = files.empty() ? AmountUnit::kBinary40 : files[0].price_reader.unit();
  result.row_count = static_cast<uint64_t>(row_count);
  timer.add_rows(scan.row_count());
  add_run_rows(scan.row_count());
  return result;
}

}  // namespace tapeworks
