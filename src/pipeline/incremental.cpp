#include "pipeline/incremental.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include <sys/stat.h>

#include "base/idle_list.h"
#include "base/interrupt.h"
#include "base/messages.h"
#include "base/printable_text.h"
#include "base/run_stats.h"
#include "base/thread_tasks.h"
#include "base/units.h"
#include "pipeline/daily_summary_file.h"
#include "pipeline/input_files.h"
#include "pipeline/table_writer.h"
#include "storage/input_file.h"
#include "storage/object_store.h"
#include "storage/row_group_hash.h"
#include "storage/table_file_check.h"

namespace tapeworks {
namespace fs = std::filesystem;
namespace {

constexpr const char* kSummary = "daily_summary";
/// A row in a DailySummary and on its way through Arrow.
constexpr uint64_t kRowBytes = 64;

std::string canonical_text(const fs::path& path) {
  if (is_object_address(path.native())) return path.string();
  std::error_code error;
  const fs::path canonical = fs::canonical(path, error);
  return error ? path.string() : canonical.string();
}

/// Size and times; the rest stays 0, and all of it where there is no such file: the scan will say
/// so. kIo for an object store that does not answer.
Result<FileStamp> stat_stamp(const fs::path& path) {
  if (is_object_address(path.native())) {
    TW_ASSIGN(const auto object, find_object(path.string()));
    if (!object) return FileStamp{};
    return FileStamp{object->byte_count, object->modified_ns, 0, 0};
  }
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return FileStamp{};
  const auto ns = [](const timespec& time) {
    return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  };
  return FileStamp{static_cast<uint64_t>(info.st_size), ns(info.st_mtim), ns(info.st_ctim), 0};
}

struct OpenedInput {
  FileStamp stamp;
  std::optional<ParquetInput> input;
};

/// A file that is no good has no footer here; the scan will say what is wrong with it. A store that
/// does not answer would be waited for again with each of its objects, so that is the end.
Result<OpenedInput> open_input(const fs::path& path, MemoryBudget& budget) {
  OpenedInput opened;
  TW_ASSIGN(opened.stamp, stat_stamp(path));
  auto input = ParquetInput::open(path, budget);
  if (!input) {
    const bool is_lost =
        is_object_address(path.native()) && input.error().kind != ErrorKind::kCorrupt;
    if (is_lost) return std::unexpected(std::move(input).error());
    return opened;
  }
  if (const auto footer = footer_hash(*input)) {
    opened.stamp.footer_xxh3 = *footer;
    opened.input = std::move(*input);
  }
  return opened;
}

Result<InputIndex> load_index(const GenerationWriter& generation, const ScanOptions& scan,
                              MemoryBudget& budget, Reservation& memory) {
  constexpr const char* kRemedy = "give the command all inputs once, without --incremental";
  const Table* const summary = generation.base() ? generation.base()->find(kSummary) : nullptr;
  const fs::path path = generation.base_path() / checkpoint_path(kSummary);
  if (summary == nullptr) {
    return invalid_argument("there is no record of the inputs of the summary; {}", kRemedy);
  }
  TW_ASSIGN(const InputStatus status, status_of_input(path));
  if (status.type == InputType::kNothing) {
    return invalid_argument("there is no record of the inputs of the summary; {}", kRemedy);
  }
  const uint64_t byte_count = status.byte_count;
  if (status.type != InputType::kFile || byte_count > kIndexBytesMax) {
    return corrupt("{}: the record of the inputs is damaged; {}", path.string(), kRemedy);
  }
  Reservation text_memory;
  if (!budget.try_reserve(byte_count, text_memory)) {
    return over_budget("the record of the inputs needs {}; give more --memory",
                       format_byte_size(byte_count));
  }
  TW_ASSIGN(const std::string text, read_input_text(path));
  TW_ASSIGN(InputIndex index, decode_index(text, path.string()));
  if (index.summary_fingerprint != summary->fingerprint()) {
    return corrupt("{}: the record of the inputs belongs to another summary; {}", path.string(),
                   kRemedy);
  }
  if (index.options != index_options(scan)) {
    return invalid_argument(
        "the summary was made with other options (zones, amounts, bad rows or columns) or by a "
        "version that writes other bytes; give the same ones, or {}",
        kRemedy);
  }
  uint64_t bytes = 0;
  for (const IndexedFile& file : index.files) {
    for (const RowGroupFacts& facts : file.row_groups) bytes += facts_bytes(facts);
  }
  if (!budget.try_reserve(bytes, memory)) {
    return over_budget("the record of the inputs needs {}; give more --memory",
                       format_byte_size(bytes));
  }
  return index;
}

Status check_missing(const std::vector<std::string>& missing, uint64_t vanished_max) {
  if (missing.size() <= vanished_max) return {};
  return corrupt(
      "{} input{} of the summary {} missing: {}; INPUT must be the complete set, and "
      "--allow-vanished {} takes their rows out of the summary",
      missing.size(), missing.size() == 1 ? "" : "s", missing.size() == 1 ? "is" : "are",
      first_names(missing), missing.size());
}

/// As given. Where a folder has been emptied, or a pattern finds nothing any more, the known files
/// that are gone say more than that.
Result<std::vector<fs::path>> given_inputs(const IncrementOptions& options,
                                           const InputIndex& index) {
  auto paths = expand_inputs(options.inputs);
  if (paths) return paths;
  std::vector<std::string> missing;
  for (const IndexedFile& file : index.files) {
    TW_ASSIGN(const InputStatus status, status_of_input(file.path));
    if (status.type == InputType::kNothing) missing.push_back(file.path);
  }
  TW_TRY(check_missing(missing, options.vanished_max));
  return paths;
}

/// The complete set: as given, or that of the old summary with the added files.
Result<std::vector<fs::path>> complete_inputs(const IncrementOptions& options,
                                              const InputIndex& index) {
  if (options.added.empty()) return given_inputs(options, index);
  TW_ASSIGN(std::vector<fs::path> paths, expand_inputs(options.added));
  std::set<std::string> present;
  for (const fs::path& path : paths) present.insert(canonical_text(path));
  for (const IndexedFile& file : index.files) {
    if (present.contains(file.path)) continue;
    TW_ASSIGN(const InputStatus status, status_of_input(file.path));
    if (status.type != InputType::kNothing) paths.emplace_back(file.path);
  }
  std::ranges::sort(paths, {}, [](const fs::path& path) { return path.native(); });
  return paths;
}

/// Compares one file with what is known of it.
class FileComparison {
 public:
  FileComparison(IndexedFile& known, InputFacts& facts) : known_(known), facts_(facts) {}

  /// True when the file has other row groups than before.
  bool compare(const OpenedInput& now, std::vector<RowGroupFacts>& row_groups) {
    if (now.stamp == known_.stamp) {
      row_groups = std::move(known_.row_groups);
      // What was not whole when it was read has no hash and is read again.
      return forget_unhashed(row_groups);
    }
    std::multimap<uint64_t, RowGroupFacts*> by_hash;
    bool differs = false;
    for (RowGroupFacts& facts : known_.row_groups) {
      if (facts.xxh3) {
        by_hash.emplace(*facts.xxh3, &facts);
      } else {
        differs = true;
        take_out(facts);
      }
    }
    const int count = now.input ? now.input->row_group_count() : 0;
    row_groups.resize(static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) {
      const auto hash = row_group_hash(*now.input, i);
      const auto found = hash ? by_hash.find(*hash) : by_hash.end();
      if (found == by_hash.end()) {
        differs = true;
        continue;
      }
      row_groups[static_cast<size_t>(i)] = std::move(*found->second);
      by_hash.erase(found);
    }
    for (const auto& [hash, facts] : by_hash) take_out(*facts);
    return differs || !by_hash.empty();
  }

  void take_out_all() {
    for (const RowGroupFacts& facts : known_.row_groups) take_out(facts);
  }

 private:
  void take_out(const RowGroupFacts& facts) {
    facts_.replaced_days.insert(facts.days.begin(), facts.days.end());
  }
  bool forget_unhashed(std::vector<RowGroupFacts>& row_groups) {
    bool differs = false;
    for (RowGroupFacts& facts : row_groups) {
      if (facts.xxh3) continue;
      take_out(facts);
      facts = RowGroupFacts{};
      differs = true;
    }
    return differs;
  }

  IndexedFile& known_;
  InputFacts& facts_;
};

/// Appends rows to a summary, in their order.
class RowAppender {
 public:
  explicit RowAppender(DailySummary& out) : out_(out) {}

  /// Rows [begin, end) of `from`, all of the broker `text`.
  void append(const DailySummary& from, size_t begin, size_t end, const std::string& text) {
    if (begin == end) return;
    if (out_.brokers.empty() || out_.brokers.back() != text) out_.brokers.push_back(text);
    const auto copy = [&](const auto& values, auto& out) {
      const auto first = values.begin();
      out.insert(out.end(), first + static_cast<std::ptrdiff_t>(begin),
                 first + static_cast<std::ptrdiff_t>(end));
    };
    out_.broker_index.resize(out_.broker_index.size() + (end - begin),
                             static_cast<uint32_t>(out_.brokers.size() - 1));
    copy(from.date, out_.date);
    copy(from.buy_shares, out_.buy_shares);
    copy(from.sell_shares, out_.sell_shares);
    copy(from.buy_amount, out_.buy_amount);
    copy(from.sell_amount, out_.sell_amount);
  }

 private:
  DailySummary& out_;
};

/// A summary some of whose days were replaced. Its memory is used again for the next symbol.
struct ReplacedDays {
  DailySummary rows;     ///< all of now
  DailySummary removed;  ///< those of before on these days
};

/// `old` without its rows of `days`, and the rows of `fresh`, which are all of these days. Most
/// days are newer than most rows, so a broker's rows are mostly copied in one piece.
void merge_summaries(const DailySummary& old, const DailySummary& fresh, const std::set<Day>& days,
                     ReplacedDays& out) {
  out.rows.clear_rows();
  out.removed.clear_rows();
  out.rows.symbol = old.symbol;
  out.rows.reserve_rows(old.row_count() + fresh.row_count());
  RowAppender merged(out.rows);
  RowAppender removed(out.removed);
  size_t row = 0;
  size_t next = 0;
  while (row < old.row_count() || next < fresh.row_count()) {
    const std::string* const old_text =
        row < old.row_count() ? &old.brokers[old.broker_index[row]] : nullptr;
    const std::string* const fresh_text =
        next < fresh.row_count() ? &fresh.brokers[fresh.broker_index[next]] : nullptr;
    const bool takes_old = old_text && (!fresh_text || *old_text <= *fresh_text);
    const bool takes_fresh = fresh_text && (!old_text || *fresh_text <= *old_text);
    const std::string& text = takes_old ? *old_text : *fresh_text;
    const size_t end = takes_old ? old.end_of_broker(row) : row;
    const size_t fresh_end = takes_fresh ? fresh.end_of_broker(next) : next;
    while (row < end) {
      const auto dates = std::span(old.date).subspan(row, end - row);
      const auto position_of = [&](Day day) {
        return row + static_cast<size_t>(std::ranges::lower_bound(dates, day) - dates.begin());
      };
      const auto changed = days.lower_bound(old.date[row]);
      size_t kept_end = changed == days.end() ? end : position_of(*changed);
      if (next < fresh_end) kept_end = std::min(kept_end, position_of(fresh.date[next]));
      merged.append(old, row, kept_end, text);
      row = kept_end;
      if (row == end) break;
      if (days.contains(old.date[row])) {
        removed.append(old, row, row + 1, text);
        ++row;
      } else if (next < fresh_end && fresh.date[next] <= old.date[row]) {
        merged.append(fresh, next, next + 1, text);
        ++next;
      }
    }
    merged.append(fresh, next, fresh_end, text);
    next = fresh_end;
  }
}

bool same_rows(const DailySummary& a, const DailySummary& b) {
  return a.brokers == b.brokers && a.broker_index == b.broker_index && a.date == b.date &&
         a.buy_shares == b.buy_shares && a.sell_shares == b.sell_shares &&
         a.buy_amount == b.buy_amount && a.sell_amount == b.sell_amount;
}

/// What a thread needs for one symbol after the other: fresh memory for each of thousands costs a
/// tenth of the time.
struct ReplacerMemory {
  explicit ReplacerMemory(MemoryBudget& budget) : reserved(budget), reader(budget.pool()) {}

  Reservation reserved;
  DailySummaryReader reader;
  ReplacedDays replaced;
};

/// Those that no thread uses at the moment. Threads: any.
class ReplacerMemories {
 public:
  explicit ReplacerMemories(MemoryBudget& budget) : budget_(budget) {}

  std::unique_ptr<ReplacerMemory> take() {
    auto idle = idle_.take();
    return idle ? std::move(*idle) : std::make_unique<ReplacerMemory>(budget_);
  }

  /// For who needs more of the budget.
  void free_unused() { idle_.clear(); }

  /// That of an unusually large symbol is not kept, so that the others can have one of their own.
  void give_back(std::unique_ptr<ReplacerMemory> memory) {
    constexpr uint64_t kShareKept = 16;
    if (memory->reserved.bytes() > budget_.capacity_bytes() / kShareKept) return;
    idle_.give_back(std::move(memory));
  }

 private:
  MemoryBudget& budget_;
  IdleList<std::unique_ptr<ReplacerMemory>> idle_;
};

/// Replaces the days of one symbol after the other. Threads: any, one symbol at a time each.
class SymbolReplacer {
 public:
  SymbolReplacer(const std::set<Day>& days, GenerationWriter& generation, SummaryWriter& summaries,
                 MemoryBudget& budget, const SummaryListener& listener)
      : days_(days),
        generation_(generation),
        summaries_(summaries),
        listener_(listener),
        memories_(budget) {}

  Status keep_unread(const TableFile& file) {
    TW_TRY(generation_.keep_file(kSummary, file));
    return listener_ ? listener_(symbol_of_file(file.path), nullptr) : Status{};
  }

  Status put(const DailySummary& summary) {
    TW_TRY(summaries_.put(summary));
    return tell(summary);
  }

  Status replace(const TableFile& file, const DailySummary& fresh) {
    auto memory = memories_.take();
    TW_TRY(replace_in(*memory, file, fresh));
    memories_.give_back(std::move(memory));
    return {};
  }

 private:
  Status replace_in(ReplacerMemory& memory, const TableFile& file, const DailySummary& fresh) {
    const uint64_t bytes = (2 * file.row_count + 2 * fresh.row_count()) * kRowBytes;
    const uint64_t wanted = std::max(bytes, memory.reserved.bytes());
    if (!memory.reserved.resize(wanted)) memories_.free_unused();
    if (!memory.reserved.resize(wanted)) {
      return over_budget("merging {} needs {}; give more --memory", file.path,
                         format_byte_size(bytes));
    }
    TW_TRY(check_source_file(generation_.base_path(), file));
    TW_ASSIGN(const DailySummary* const old,
              memory.reader.read(generation_.base_path() / file.path));
    merge_summaries(*old, fresh, days_, memory.replaced);
    const DailySummary& merged = memory.replaced.rows;
    if (same_rows(*old, merged)) {
      TW_TRY(generation_.keep_file(kSummary, file));
      return tell(*old);
    }
    TW_TRY(summaries_.put_changed(merged, memory.replaced.removed, fresh));
    return merged.row_count() == 0 ? Status{} : tell(merged);
  }

  Status tell(const DailySummary& summary) const {
    return listener_ ? listener_(summary.symbol, &summary) : Status{};
  }

  const std::set<Day>& days_;
  GenerationWriter& generation_;
  SummaryWriter& summaries_;
  const SummaryListener& listener_;
  ReplacerMemories memories_;
};

}  // namespace

uint64_t InputPlan::byte_count() const {
  uint64_t sum = 0;
  for (const FileStamp& stamp : stamps) sum += stamp.byte_count;
  return sum;
}

Result<InputPlan> plan_full_scan(std::vector<fs::path> paths) {
  InputPlan plan;
  plan.stamps.resize(paths.size());
  TW_TRY(run_tasks(paths.size(), opening_thread_count(paths), [&](size_t index, size_t) -> Status {
    TW_ASSIGN(plan.stamps[index], stat_stamp(paths[index]));
    return {};
  }));
  for (const fs::path& path : paths) plan.canonical.push_back(canonical_text(path));
  plan.paths = std::move(paths);
  return plan;
}

Result<InputPlan> plan_increment(const IncrementOptions& options, const ScanOptions& scan,
                                 const GenerationWriter& generation, MemoryBudget& budget) {
  const PhaseTimer timer("compare");
  InputPlan plan;
  TW_ASSIGN(InputIndex index, load_index(generation, scan, budget, plan.facts.memory));
  TW_ASSIGN(plan.paths, complete_inputs(options, index));
  plan.facts.brokers = std::move(index.brokers);
  plan.facts.names = std::move(index.names);

  std::map<std::string, IndexedFile*> known;
  for (IndexedFile& file : index.files) {
    known[file.path] = &file;
    for (const RowGroupFacts& facts : file.row_groups) {
      plan.old_days.insert(facts.days.begin(), facts.days.end());
    }
  }
  bool differs = false;
  plan.facts.files.resize(plan.paths.size());
  for (size_t i = 0; i < plan.paths.size(); ++i) {
    TW_TRY(check_interrupt());
    TW_ASSIGN(const OpenedInput now, open_input(plan.paths[i], budget));
    plan.canonical.push_back(canonical_text(plan.paths[i]));
    plan.stamps.push_back(now.stamp);
    const auto found = known.find(plan.canonical.back());
    const uint64_t old_bytes = found == known.end() ? 0 : found->second->stamp.byte_count;
    plan.new_bytes += now.stamp.byte_count - std::min(old_bytes, now.stamp.byte_count);
    if (found == known.end()) {
      differs = true;
      continue;
    }
    differs |= FileComparison(*found->second, plan.facts).compare(now, plan.facts.files[i]);
    known.erase(found);
  }
  std::vector<std::string> missing;
  for (const auto& [path, file] : known) missing.push_back(path);
  TW_TRY(check_missing(missing, options.vanished_max));
  for (const auto& [path, file] : known) FileComparison(*file, plan.facts).take_out_all();
  plan.is_nothing_new = !differs && missing.empty();
  return plan;
}

Status replace_days(const InputPlan& plan, TransactionRuns& runs, const ReduceOptions& options,
                    MemoryBudget& budget, GenerationWriter& generation, SummaryWriter& summaries,
                    const SummaryListener& listener) {
  const Table& base = *generation.base()->find(kSummary);
  summaries.start_from(base);
  std::map<std::string, size_t> old_files;
  for (size_t i = 0; i < base.files.size(); ++i) old_files[base.files[i].path] = i;
  const std::set<Day>& days = plan.facts.replaced_days;
  SymbolReplacer replacer(days, generation, summaries, budget, listener);
  std::vector<uint8_t> done(base.files.size());  // each is set by one thread
  TW_TRY(reduce_to_summaries(
      runs, options, budget, [&](uint32_t, const DailySummary& fresh) -> Status {
        const auto old = old_files.find(symbol_file_path(kSummary, fresh.symbol));
        if (old == old_files.end()) return replacer.put(fresh);
        done[old->second] = 1;
        return replacer.replace(base.files[old->second], fresh);
      }));
  // The other symbols have no row of these days now, and had none unless a day was known before.
  const bool had_such_rows =
      std::ranges::any_of(days, [&](Day day) { return plan.old_days.contains(day); });
  const DailySummary nothing;
  return run_tasks(base.files.size(), options.thread_count, [&](size_t index, size_t) -> Status {
    if (done[index] != 0) return {};
    TW_TRY(check_interrupt());
    if (!had_such_rows) return replacer.keep_unread(base.files[index]);
    return replacer.replace(base.files[index], nothing);
  });
}

Status save_input_index(InputPlan plan, const ScanOptions& scan, MemoryBudget& budget,
                        GenerationWriter& generation) {
  const auto no_record = [] {
    warn(
        "the row groups of the input are too many to be remembered in this --memory; the next run "
        "with --incremental will ask for a full one");
    return Status{};
  };
  if (!plan.facts.is_complete) return no_record();
  Reservation memory;
  // Encoded, the facts are at most as long as in memory.
  if (!budget.try_reserve(plan.facts.memory.bytes(), memory)) return no_record();
  InputIndex index;
  index.options = index_options(scan);
  index.summary_fingerprint = generation.manifest().find(kSummary)->fingerprint();
  index.brokers = std::move(plan.facts.brokers);
  index.names = std::move(plan.facts.names);
  for (size_t i = 0; i < plan.paths.size(); ++i) {
    FileStamp stamp = plan.stamps[i];
    stamp.footer_xxh3 = plan.facts.footer_xxh3[i];
    FileStamp now = stat_stamp(plan.paths[i]).value_or(FileStamp{});
    now.footer_xxh3 = stamp.footer_xxh3;
    auto& row_groups = plan.facts.files[i];
    if (now != stamp) {
      // Changed under our hands: what was read may be neither the old content nor the new one.
      for (RowGroupFacts& facts : row_groups) facts.xxh3.reset();
    }
    index.files.push_back({plan.canonical[i], stamp, std::move(row_groups)});
  }
  const std::string bytes = encode_index(index);
  if (bytes.size() > kIndexBytesMax) return no_record();
  return generation.add_checkpoint(kSummary, std::as_bytes(std::span(bytes)));
}

}  // namespace tapeworks
