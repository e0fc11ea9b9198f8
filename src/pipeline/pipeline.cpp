#include "pipeline/pipeline.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/messages.h"
#include "base/progress.h"
#include "base/run_stats.h"
#include "base/thread_tasks.h"
#include "base/units.h"
#include "pipeline/daily_summary_file.h"
#include "pipeline/incremental.h"
#include "pipeline/input_files.h"
#include "pipeline/market_dates.h"
#include "pipeline/merge_map_file.h"
#include "pipeline/pnl_writer.h"
#include "pipeline/rebuild_check.h"
#include "pipeline/refresh_history.h"
#include "pipeline/room_check.h"
#include "pipeline/summary_reduce.h"
#include "pipeline/summary_writer.h"
#include "pipeline/table_writer.h"
#include "storage/generation_store.h"
#include "storage/input_file.h"
#include "storage/table_file_check.h"

namespace tapeworks {
namespace {

using nlohmann::ordered_json;

/// What stands in run.json: the run, not its result.
ordered_json run_info(std::string_view command, const InputPlan& input,
                      const RefreshHistory& history) {
  ordered_json info;
  info["command"] = command;
  ordered_json files = ordered_json::array();
  for (size_t i = 0; i < input.paths.size(); ++i) {
    ordered_json file;
    file["path"] = absolute_name(input.paths[i]);
    file["bytes"] = input.stamps[i].byte_count;
    files.push_back(std::move(file));
  }
  info["inputs"] = std::move(files);
  add_refresh_history(history, info);
  return info;
}

/// A `run` that began at `begin` and is about to be published.
MeasuredRun measured_run(std::chrono::steady_clock::time_point begin, const InputPlan& input) {
  MeasuredRun run;
  run.ended_s = unix_now_s();
  run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  run.input_bytes = input.byte_count();
  return run;
}

Result<GenerationWriter> begin_generation(const WorkPlace& place) {
  return GenerationWriter::begin(place.data_dir, {place.keep_generations_for});
}

/// Tables that stay must have been made in the same mode.
Status check_mode(const GenerationWriter& generation, Mode mode,
                  const std::set<std::string>& replaced) {
  const auto& base = generation.base();
  if (!base || base->mode == to_string(mode)) return {};
  for (const auto& [name, table] : base->tables) {
    if (replaced.contains(name)) continue;
    return invalid_argument(
        "the table {} was made in mode '{}' and this run is in mode '{}'; use the same --compat, "
        "another --data, or `tapeworks run`, which makes everything anew",
        name, base->mode, to_string(mode));
  }
  return {};
}

Status keep_other_tables(GenerationWriter& generation, const std::set<std::string>& replaced) {
  if (!generation.base()) return {};
  for (const auto& [name, table] : generation.base()->tables) {
    if (!replaced.contains(name)) TW_TRY(generation.keep_table(name));
  }
  return {};
}

const std::set<std::string> kEtlTables{"daily_summary", kBrokerNamesTable};
constexpr const char* kPriceTable = "price";
/// Those of merged brokers among them, so that none outlives a run without a map.
const std::set<std::string> kPnlTables = [] {
  std::set<std::string> tables{kMergeMapTable};
  for (const char* name :
       {"pnl", "pnl_daily", "fifo_state", kPositionLedger, "symbol_broker", "broker_ranking"}) {
    tables.insert(name);
    tables.insert(std::string(name) + kMergedSuffix);
  }
  return tables;
}();

uint64_t bytes_of(const Manifest& manifest, const std::string& name) {
  uint64_t bytes = 0;
  if (const Table* const table = manifest.find(name)) {
    for (const TableFile& file : table->files) bytes += file.byte_count;
  }
  return bytes;
}

/// Of an increment: every file of these tables may have to be written again, and grow.
RoomNeeds needs_of(const InputPlan& input, const Manifest& base,
                   const std::set<std::string>& tables) {
  RoomNeeds needs{.output_bytes = summary_bytes_about(input.new_bytes),
                  .input_bytes = input.new_bytes};
  for (const std::string& table : tables) needs.output_bytes += bytes_of(base, table);
  return needs;
}

void warn_about_balance(const SummaryWriter& summaries) {
  if (summaries.unbalanced_symbol_days() != 0) {
    const uint64_t count = summaries.unbalanced_symbol_days();
    warn("on {} symbol-day{} the shares bought by all brokers are not the shares sold", count,
         count == 1 ? "" : "s");
  }
}

std::map<std::string, std::string> pnl_options_text(const PnlRunOptions& pnl, Day as_of) {
  std::map<std::string, std::string> text{{"start", to_string(pnl.start)}};
  if (!is_compat(pnl.mode)) text["as_of"] = to_string(as_of);
  return text;
}

PnlOptions symbol_options(const PnlRunOptions& pnl, Day last_day) {
  PnlOptions options;
  options.mode = pnl.mode;
  options.start = pnl.start;
  options.as_of = pnl.as_of.value_or(last_day);
  options.daily = pnl.daily;
  options.ledger = pnl.ledger;
  return options;
}

/// Nothing where no tables of merged brokers are wanted.
Result<std::optional<BrokerMergers>> read_mergers(const PnlRunOptions& pnl) {
  if (pnl.merge_map.empty()) return std::nullopt;
  return read_merge_map(pnl.merge_map);
}

/// Kept for as long as the closes are.
Result<Reservation> reserve_prices(const ClosePrices& prices, MemoryBudget& budget) {
  Reservation memory;
  if (budget.try_reserve(prices.byte_count(), memory)) return memory;
  return over_budget("the closing prices need {} of memory; give more --memory",
                     format_byte_size(prices.byte_count()));
}

struct EtlPhase {
  InputPlan input;
  TransactionRuns runs;
};

Status scan_input(EtlPhase& phase, const EtlOptions& etl, const WorkPlace& place,
                  MemoryBudget& budget, GenerationWriter& generation) {
  TW_ASSIGN(const auto temp_folder, generation.make_temp_folder(place.temp_dir));
  // Compat modes have no incremental runs, for which the facts are.
  InputFacts* const facts = is_compat(etl.scan.mode) ? nullptr : &phase.input.facts;
  TW_ASSIGN(phase.runs, scan_transactions(phase.input.paths, etl.scan, budget, temp_folder, facts));
  if (phase.runs.last_day == kNullDay && !is_compat(etl.scan.mode)) {
    return corrupt("{}: the input has no row that counts ({} rows read); nothing was published",
                   phase.input.paths.front().string(), phase.runs.row_count);
  }
  return {};
}

/// Compat modes leave no record of their inputs.
Status save_inputs(EtlPhase& phase, const EtlOptions& etl, MemoryBudget& budget,
                   GenerationWriter& generation) {
  if (is_compat(etl.scan.mode)) return {};
  return save_input_index(std::move(phase.input), etl.scan, budget, generation);
}

using InputPaths = std::vector<std::filesystem::path>;

/// The scan of `paths`, with everything checked that can be before it. `pnl` is null when only the
/// tables of etl are wanted.
Result<EtlPhase> scan_phase(const EtlOptions& etl, const PnlRunOptions* pnl, InputPaths paths,
                            const WorkPlace& place, MemoryBudget& budget,
                            GenerationWriter& generation) {
  EtlPhase phase;
  TW_ASSIGN(phase.input, plan_full_scan(std::move(paths)));
  const uint64_t input_bytes = phase.input.byte_count();
  RoomNeeds needs{.output_bytes = summary_bytes_about(input_bytes), .input_bytes = input_bytes};
  if (pnl != nullptr) needs.output_bytes += pnl_bytes_about(needs.output_bytes, *pnl);
  TW_TRY(check_room(generation, needs, place, budget));
  TW_TRY(scan_input(phase, etl, place, budget, generation));
  return phase;
}

ReduceOptions reduce_options(const EtlOptions& etl, const WorkPlace& place) {
  return {etl.scan.mode, etl.scan.amounts, place.thread_count};
}

/// The last trade date of the summary; kNullDay where the manifest does not say it.
Day last_day_of(const Manifest& manifest) {
  const auto& counts = manifest.find("daily_summary")->counts;
  const auto last = counts.find("last_day");
  return last == counts.end() ? kNullDay : Day{static_cast<int32_t>(last->second)};
}

/// What `pnl` reads of the published generation.
struct SummaryFiles {
  std::vector<TableFile> files;
  std::vector<std::string> symbols;  ///< of the files
  Day last_day = kNullDay;
};

Result<SummaryFiles> find_summaries(const GenerationWriter& generation,
                                    const std::filesystem::path& data_dir) {
  const Table* table = generation.base() ? generation.base()->find("daily_summary") : nullptr;
  if (table == nullptr) {
    return invalid_argument("there is no daily_summary in {} yet; run `tapeworks etl` first",
                            data_dir.string());
  }
  SummaryFiles summaries{.files = table->files, .symbols = {}, .last_day = kNullDay};
  for (const TableFile& file : table->files) summaries.symbols.push_back(symbol_of_file(file.path));
  summaries.last_day = last_day_of(*generation.base());
  return summaries;
}

Status check_price_table(const GenerationWriter& generation,
                         const std::filesystem::path& data_dir) {
  const Table* prices = generation.base() ? generation.base()->find("price") : nullptr;
  if (prices == nullptr) {
    return invalid_argument("there are no close prices in {} yet; run `tapeworks sync` first",
                            data_dir.string());
  }
  const Table* summary = generation.base()->find("daily_summary");
  if (amounts_of(*prices) != amounts_of(*summary)) {
    return invalid_argument(
        "the close prices are {} and the amounts {}; run `tapeworks sync` again to make them agree",
        to_string(amounts_of(*prices)), to_string(amounts_of(*summary)));
  }
  return check_source_table(generation.base_path(), *prices);
}

bool has_summary(const GenerationWriter& generation) {
  return generation.base() && generation.base()->find("daily_summary") != nullptr;
}

std::unexpected<Error> nothing_to_add_to(const WorkPlace& place) {
  return invalid_argument(
      "there is no summary in {} to add to; give the command all inputs first, without --add",
      place.data_dir.string());
}

/// The symbols of a summary before and after an increment, each once.
std::vector<std::string> all_symbols(const Table& summary, const TransactionRuns& runs) {
  std::set<std::string> symbols(runs.symbols.begin(), runs.symbols.end());
  for (const TableFile& file : summary.files) symbols.insert(symbol_of_file(file.path));
  return {symbols.begin(), symbols.end()};
}

/// `etl` of `paths` up to its publication.
Result<EtlPhase> make_summaries(const EtlOptions& etl, InputPaths paths, const WorkPlace& place,
                                MemoryBudget& budget, GenerationWriter& generation) {
  TW_ASSIGN(EtlPhase phase, scan_phase(etl, nullptr, std::move(paths), place, budget, generation));
  const TableWriter writer(generation, etl.scan.mode, budget);
  SummaryWriter summaries(writer, etl.scan.amounts);
  TW_TRY(reduce_to_summaries(
      phase.runs, reduce_options(etl, place), budget,
      [&](uint32_t, const DailySummary& summary) { return summaries.put(summary); }));
  TW_TRY(summaries.finish(phase.runs, etl.scan));
  warn_about_balance(summaries);
  return phase;
}

/// The same tables from the published ones and the new input of `phase`.
Status replace_summaries(EtlPhase& phase, const EtlOptions& etl, const WorkPlace& place,
                         MemoryBudget& budget, GenerationWriter& generation) {
  TW_TRY(
      check_room(generation, needs_of(phase.input, *generation.base(), kEtlTables), place, budget));
  TW_TRY(scan_input(phase, etl, place, budget, generation));
  const TableWriter writer(generation, etl.scan.mode, budget);
  SummaryWriter summaries(writer, etl.scan.amounts);
  TW_TRY(replace_days(phase.input, phase.runs, reduce_options(etl, place), budget, generation,
                      summaries, {}));
  TW_TRY(summaries.finish(phase.runs, etl.scan));
  warn_about_balance(summaries);
  return {};
}

/// The end of every `etl`: its tables are there, and the others stay.
Status publish_summaries(EtlPhase& phase, const EtlOptions& etl, const RefreshHistory& history,
                         MemoryBudget& budget, GenerationWriter& generation) {
  TW_TRY(keep_other_tables(generation, kEtlTables));
  const ordered_json info = run_info("etl", phase.input, history);
  if (!phase.input.is_nothing_new) TW_TRY(save_inputs(phase, etl, budget, generation));
  return generation.publish(std::string(to_string(etl.scan.mode)), info);
}

/// `etl --incremental` over a published summary.
Result<IncrementOutcome> add_to_summary(const EtlOptions& etl,
                                        const IncrementalEtlOptions& increment,
                                        const WorkPlace& place, MemoryBudget& budget,
                                        GenerationWriter& generation) {
  EtlPhase phase;
  TW_ASSIGN(phase.input, plan_increment({etl.inputs, increment.added, increment.vanished_max},
                                        etl.scan, generation, budget));
  RefreshHistory history = read_refresh_history(generation.base_path());
  const bool is_due =
      is_verification_due(history.summary_verified_s, unix_now_s(), increment.verify_every);
  if (phase.input.is_nothing_new) {
    if (!is_due) return IncrementOutcome::kNothingNew;
    for (const std::string& table : kEtlTables) TW_TRY(generation.keep_table(table));
  } else {
    TW_TRY(replace_summaries(phase, etl, place, budget, generation));
  }
  if (is_due) {
    const PhaseTimer timer("verification");
    phase.runs = {};
    GenerationWriter rebuilt = generation.rehearse();
    {
      const MutedWarnings muted;
      TW_TRY(make_summaries(etl, phase.input.paths, place, budget, rebuilt));
    }
    TW_TRY(check_equals_rebuild(generation, rebuilt.manifest(), kEtlTables, place.thread_count));
    history.summary_verified_s = unix_now_s();
  }
  TW_TRY(publish_summaries(phase, etl, history, budget, generation));
  return IncrementOutcome::kPublished;
}

/// What `pnl` computes from, beside the mode.
struct PnlInput {
  const SummaryFiles& summaries;
  const ClosePrices& prices;
  const std::optional<BrokerMergers>& mergers;
};

/// `pnl` up to its publication.
Status make_pnl(const PnlRunOptions& pnl, const PnlInput& sources, const WorkPlace& place,
                MemoryBudget& budget, GenerationWriter& generation) {
  TW_TRY(keep_other_tables(generation, kPnlTables));
  const PhaseTimer timer("pnl");
  const SummaryFiles& summaries = sources.summaries;
  const PnlOptions options = symbol_options(pnl, summaries.last_day);
  const TableWriter writer(generation, pnl.mode, budget);
  PnlWriter results(writer, sources.prices, options, summaries.symbols, pnl.is_incremental);
  if (sources.mergers) {
    results.merge(*sources.mergers, amounts_of(*generation.base()->find("daily_summary")));
  }
  MarketDates dates;
  std::atomic<size_t> read_count = 0;
  Progress progress("computing", summaries.files.size());
  const auto on_read = [&](const DailySummary& summary) {
    add_run_rows(summary.row_count());
    dates.add(summary);
    ++read_count;
  };
  std::vector<DailySummaryReader> readers(place.thread_count, DailySummaryReader(budget.pool()));
  const auto compute = [&](size_t index, size_t worker) -> Status {
    progress.add(1);
    return results.put_file(index, summaries.files[index], readers[worker], on_read);
  };
  TW_TRY(run_tasks(summaries.files.size(), place.thread_count, compute));
  TW_TRY(results.finish(pnl_options_text(pnl, options.as_of), place.thread_count));
  // Some dates say nothing of all of them; those of symbols that stay have been looked at before.
  if (read_count == summaries.files.size()) dates.warn_about_missing(sources.prices);
  return {};
}

/// What `run` takes beside the transactions.
struct RunSources {
  const PriceReadResult& prices;
  const std::optional<BrokerMergers>& mergers;
};

/// `run` of `paths` up to its publication.
Result<EtlPhase> make_all(const EtlOptions& etl, InputPaths paths, const RunSources& sources,
                          const PnlRunOptions& pnl, const WorkPlace& place, MemoryBudget& budget,
                          GenerationWriter& generation) {
  TW_ASSIGN(EtlPhase phase, scan_phase(etl, &pnl, std::move(paths), place, budget, generation));
  const TableWriter writer(generation, etl.scan.mode, budget);
  TW_TRY(write_price_table(writer, sources.prices));
  const ClosePrices& prices = sources.prices.prices;
  const PnlOptions options = symbol_options(pnl, phase.runs.last_day);
  SummaryWriter summaries(writer, etl.scan.amounts);
  PnlWriter results(writer, prices, options, phase.runs.symbols, pnl.is_incremental);
  if (sources.mergers) results.merge(*sources.mergers, etl.scan.amounts);
  MarketDates dates;
  const auto write_symbol = [&](uint32_t symbol, const DailySummary& summary) -> Status {
    TW_TRY(summaries.put(summary));
    dates.add(summary);
    return results.put(symbol, summary);
  };
  TW_TRY(reduce_to_summaries(phase.runs, reduce_options(etl, place), budget, write_symbol));
  TW_TRY(summaries.finish(phase.runs, etl.scan));
  TW_TRY(results.finish(pnl_options_text(pnl, options.as_of), place.thread_count));
  warn_about_balance(summaries);
  dates.warn_about_missing(prices);
  return phase;
}

/// The part of run_all_incremental() that starts from a published summary.
class AllIncrement {
 public:
  AllIncrement(const EtlOptions& etl, const RunSources& sources, const PnlRunOptions& pnl,
               const WorkPlace& place, MemoryBudget& budget, GenerationWriter& generation)
      : etl_(etl),
        sources_(sources),
        pnl_(pnl),
        place_(place),
        budget_(budget),
        generation_(generation),
        base_(*generation.base()),
        writer_(generation, etl.scan.mode, budget) {}

  Result<IncrementOutcome> run(const IncrementalEtlOptions& increment) {
    EtlPhase phase;
    TW_ASSIGN(phase.input, plan_increment({etl_.inputs, increment.added, increment.vanished_max},
                                          etl_.scan, generation_, budget_));
    std::set<std::string> tables = kEtlTables;
    tables.insert(kPnlTables.begin(), kPnlTables.end());
    TW_TRY(check_room(generation_, needs_of(phase.input, base_, tables), place_, budget_));
    TW_TRY(write_price_table(writer_, sources_.prices));
    Day last_day;
    if (phase.input.is_nothing_new) {
      for (const std::string& table : kEtlTables) TW_TRY(generation_.keep_table(table));
      last_day = last_day_of(base_);
    } else {
      TW_TRY(scan_input(phase, etl_, place_, budget_, generation_));
      last_day = phase.runs.last_day;
    }
    TW_ASSIGN(const uint64_t rejected_checkpoints, make_tables(phase, last_day));
    RefreshHistory history = read_refresh_history(generation_.base_path());
    const bool is_due =
        is_verification_due(history.all_verified_s(), unix_now_s(), increment.verify_every);
    // A checkpoint that was no good is replaced even where the tables stay the same.
    if (is_unchanged() && phase.input.is_nothing_new && rejected_checkpoints == 0 && !is_due) {
      return IncrementOutcome::kNothingNew;
    }
    if (!phase.input.is_nothing_new) history.incremental = measured_run(begin_, phase.input);
    if (is_due) {
      phase.runs = {};
      TW_TRY(verify(phase.input.paths));
      history.summary_verified_s = history.pnl_verified_s = unix_now_s();
    }
    const ordered_json info = run_info("run", phase.input, history);
    if (!phase.input.is_nothing_new) TW_TRY(save_inputs(phase, etl_, budget_, generation_));
    TW_TRY(generation_.publish(std::string(to_string(etl_.scan.mode)), info));
    return IncrementOutcome::kPublished;
  }

 private:
  /// Returns how many checkpoints could not be used.
  Result<uint64_t> make_tables(EtlPhase& phase, Day last_day) {
    const ClosePrices& prices = sources_.prices.prices;
    const PnlOptions options = symbol_options(pnl_, last_day);
    const Table& old_summary = *base_.find("daily_summary");
    const std::vector<std::string> symbols = all_symbols(old_summary, phase.runs);
    PnlWriter results(writer_, prices, options, symbols, /*is_incremental=*/true);
    if (sources_.mergers) results.merge(*sources_.mergers, etl_.scan.amounts);
    const SummaryListener listener = [&](const std::string& symbol, const DailySummary* summary) {
      const auto place = std::ranges::lower_bound(symbols, symbol);
      const auto index = static_cast<size_t>(place - symbols.begin());
      if (summary == nullptr) {
        DailySummaryReader reader(budget_.pool());
        const auto file = old_summary.file(symbol_file_path("daily_summary", symbol));
        return results.put_file(index, *file, reader, [](const DailySummary&) {});
      }
      return results.put(index, *summary);
    };
    if (phase.input.is_nothing_new) {
      TW_TRY(run_tasks(old_summary.files.size(), place_.thread_count, [&](size_t index, size_t) {
        return listener(symbol_of_file(old_summary.files[index].path), nullptr);
      }));
    } else {
      SummaryWriter summaries(writer_, etl_.scan.amounts);
      TW_TRY(replace_days(phase.input, phase.runs, reduce_options(etl_, place_), budget_,
                          generation_, summaries, listener));
      TW_TRY(summaries.finish(phase.runs, etl_.scan));
      warn_about_balance(summaries);
    }
    TW_TRY(results.finish(pnl_options_text(pnl_, options.as_of), place_.thread_count));
    warn_about_missing_dates(phase.input.facts);
    return results.rejected_checkpoints();
  }

  /// The tables of symbols that stay are not read, so the dates are those that the inputs have.
  void warn_about_missing_dates(const InputFacts& facts) const {
    if (!facts.is_complete) return;
    MarketDates dates;
    for (const auto& row_groups : facts.files) {
      for (const RowGroupFacts& row_group : row_groups) dates.add(row_group.days);
    }
    dates.warn_about_missing(sources_.prices.prices);
  }

  /// Everything is made of the whole input once more, for its checksums alone, and compared.
  Status verify(const InputPaths& inputs) {
    const PhaseTimer timer("verification");
    GenerationWriter rebuilt = generation_.rehearse();
    PnlRunOptions pnl = pnl_;
    pnl.is_incremental = false;
    {
      const MutedWarnings muted;
      TW_TRY(make_all(etl_, inputs, sources_, pnl, place_, budget_, rebuilt));
    }
    std::set<std::string> tables = kEtlTables;
    tables.insert(kPnlTables.begin(), kPnlTables.end());
    tables.insert(kPriceTable);
    return check_equals_rebuild(generation_, rebuilt.manifest(), tables, place_.thread_count);
  }

  /// Whether the new generation would have the manifest of the published one.
  bool is_unchanged() const {
    Manifest made = generation_.manifest();
    made.mode = base_.mode;
    return made.to_text() == base_.to_text();
  }

  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  const EtlOptions& etl_;
  const RunSources& sources_;
  const PnlRunOptions& pnl_;
  const WorkPlace& place_;
  MemoryBudget& budget_;
  GenerationWriter& generation_;
  const Manifest& base_;
  TableWriter writer_;
};

}  // namespace

Status run_etl(const EtlOptions& etl, const WorkPlace& place, MemoryBudget& budget) {
  TW_ASSIGN(GenerationWriter generation, begin_generation(place));
  TW_TRY(check_mode(generation, etl.scan.mode, kEtlTables));
  TW_ASSIGN(InputPaths paths, expand_inputs(etl.inputs));
  TW_ASSIGN(EtlPhase phase, make_summaries(etl, std::move(paths), place, budget, generation));
  RefreshHistory history = read_refresh_history(generation.base_path());
  history.summary_verified_s = unix_now_s();
  return publish_summaries(phase, etl, history, budget, generation);
}

Result<IncrementOutcome> run_incremental_etl(const EtlOptions& etl,
                                             const IncrementalEtlOptions& increment,
                                             const WorkPlace& place, MemoryBudget& budget) {
  {
    TW_ASSIGN(GenerationWriter generation, begin_generation(place));
    TW_TRY(check_mode(generation, etl.scan.mode, {}));
    if (has_summary(generation)) return add_to_summary(etl, increment, place, budget, generation);
  }
  if (!increment.added.empty()) return nothing_to_add_to(place);
  TW_TRY(run_etl(etl, place, budget));
  return IncrementOutcome::kPublished;
}

Status run_pnl(const PnlRunOptions& pnl, const WorkPlace& place, MemoryBudget& budget) {
  TW_ASSIGN(const auto mergers, read_mergers(pnl));
  TW_ASSIGN(GenerationWriter generation, begin_generation(place));
  TW_ASSIGN(const SummaryFiles summaries, find_summaries(generation, place.data_dir));
  TW_TRY(check_price_table(generation, place.data_dir));
  TW_TRY(check_mode(generation, pnl.mode, kPnlTables));
  TW_ASSIGN(
      const ClosePrices prices,
      load_close_prices(generation.base_path() / "price/close_prices.parquet", budget.pool()));
  TW_ASSIGN(const Reservation price_memory, reserve_prices(prices, budget));
  if (!pnl.is_incremental) {  // which writes only what changed, and nobody knows how much that is
    const uint64_t summary_bytes = bytes_of(*generation.base(), "daily_summary");
    TW_TRY(generation.check_free_space(pnl_bytes_about(summary_bytes, pnl)));
  }
  const PnlInput sources{summaries, prices, mergers};
  TW_TRY(make_pnl(pnl, sources, place, budget, generation));

  RefreshHistory history = read_refresh_history(generation.base_path());
  const bool is_due = pnl.is_incremental &&
                      is_verification_due(history.pnl_verified_s, unix_now_s(), pnl.verify_every);
  if (is_due) {
    const PhaseTimer timer("verification");
    GenerationWriter rebuilt = generation.rehearse();
    PnlRunOptions full = pnl;
    full.is_incremental = false;
    {
      const MutedWarnings muted;
      TW_TRY(make_pnl(full, sources, place, budget, rebuilt));
    }
    TW_TRY(check_equals_rebuild(generation, rebuilt.manifest(), kPnlTables, place.thread_count));
  }
  if (is_due || !pnl.is_incremental) history.pnl_verified_s = unix_now_s();
  return generation.publish(std::string(to_string(pnl.mode)),
                            run_info("pnl", InputPlan{}, history));
}

Status run_all(const EtlOptions& etl, const PriceReadOptions& price_options,
               const PnlRunOptions& pnl, const WorkPlace& place, MemoryBudget& budget) {
  const auto begin = std::chrono::steady_clock::now();
  TW_ASSIGN(const auto mergers, read_mergers(pnl));
  TW_ASSIGN(GenerationWriter generation, begin_generation(place));
  TW_ASSIGN(const PriceReadResult prices, read_close_prices_source(price_options, budget));
  TW_ASSIGN(const Reservation price_memory, reserve_prices(prices.prices, budget));
  TW_ASSIGN(InputPaths paths, expand_inputs(etl.inputs));
  TW_ASSIGN(EtlPhase phase,
            make_all(etl, std::move(paths), {prices, mergers}, pnl, place, budget, generation));

  RefreshHistory history = read_refresh_history(generation.base_path());
  history.full = measured_run(begin, phase.input);
  history.summary_verified_s = history.pnl_verified_s = history.full->ended_s;
  const ordered_json info = run_info("run", phase.input, history);
  TW_TRY(save_inputs(phase, etl, budget, generation));
  return generation.publish(std::string(to_string(etl.scan.mode)), info);
}

Result<IncrementOutcome> run_all_incremental(const EtlOptions& etl,
                                             const IncrementalEtlOptions& increment,
                                             const PriceReadOptions& price_options,
                                             const PnlRunOptions& pnl, const WorkPlace& place,
                                             MemoryBudget& budget) {
  {
    TW_ASSIGN(const auto mergers, read_mergers(pnl));
    TW_ASSIGN(GenerationWriter generation, begin_generation(place));
    if (has_summary(generation)) {
      TW_ASSIGN(const PriceReadResult prices, read_close_prices_source(price_options, budget));
      TW_ASSIGN(const Reservation price_memory, reserve_prices(prices.prices, budget));
      const RunSources sources{prices, mergers};
      return AllIncrement(etl, sources, pnl, place, budget, generation).run(increment);
    }
  }
  if (!increment.added.empty()) return nothing_to_add_to(place);
  PnlRunOptions first = pnl;
  first.is_incremental = true;  // for the states that it leaves
  TW_TRY(run_all(etl, price_options, first, place, budget));
  return IncrementOutcome::kPublished;
}

}  // namespace tapeworks
