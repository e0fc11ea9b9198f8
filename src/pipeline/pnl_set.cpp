#include "pipeline/pnl_set.h"

#include <algorithm>
#include <utility>

#include "pipeline/checkpoint_days.h"
#include "pipeline/pnl_fingerprint.h"

namespace tapeworks {
namespace {

constexpr size_t kDailyTable = 2;
constexpr size_t kLedgerTable = 3;

/// A full run leaves states where accounts have so many rows on average: a state takes the room of
/// about ten rows of the summary, and saves counting so many again.
constexpr uint64_t kRowsPerAccountMin = 100;

/// What is kept from symbol to symbol: at most so much a thread and set, until finish().
constexpr size_t kKeptBytesMax = size_t{16} * 1024 * 1024;

size_t bytes_of(const SymbolPnl& pnl) {
  return pnl.accounts.capacity() * sizeof(AccountPnl) + pnl.lots.capacity() * sizeof(OpenLot) +
         pnl.daily.capacity() * sizeof(DailyPnl) + pnl.ledger.capacity() * sizeof(LedgerRow);
}

Day last_day_of(const DailySummary& summary) {
  return summary.date.empty() ? kNullDay : std::ranges::max(summary.date);
}

/// The states of a checkpoint that belong to these rows, ascending.
std::vector<const SavedState*> fitting_states(const PnlCheckpoint& checkpoint,
                                              const StateFingerprints& fingerprints, Day as_of) {
  std::vector<const SavedState*> fitting;
  for (const SavedState& saved : checkpoint.states) {
    const Day day = saved.state.day;
    if (day <= as_of && saved.fingerprint == fingerprints.up_to(day)) fitting.push_back(&saved);
  }
  return fitting;
}

}  // namespace

PnlSet::PnlSet(const TableWriter& writer, const PnlOptions& options,
               std::vector<std::string> symbols, std::string suffix, uint64_t mergers_xxh3,
               bool is_incremental)
    : writer_(writer),
      options_(options),
      suffix_(std::move(suffix)),
      mergers_xxh3_(mergers_xxh3),
      is_incremental_(is_incremental),
      tables_(writer, options, std::move(symbols), suffix_),
      folder_(writer.generation(), writer.budget(), kPnlFileTables[0] + suffix_) {
  if (!is_compat(options.mode)) days_ = checkpoint_days(options.as_of);
}

std::string PnlSet::table_name(size_t index) const { return kPnlFileTables[index] + suffix_; }

bool PnlSet::is_wanted(size_t index) const {
  if (index == kDailyTable) return options_.daily;
  return index == kLedgerTable ? options_.ledger : true;
}

std::string PnlSet::path_of(size_t index, const std::string& symbol) const {
  return symbol_file_path(table_name(index), symbol);
}

PnlSet::SymbolSources PnlSet::sources_of(const std::string& symbol, const PriceSeries& closes) {
  SymbolSources sources;
  if (is_compat(options_.mode)) return sources;
  const auto summary =
      writer_.generation().file("daily_summary", symbol_file_path("daily_summary", symbol));
  PnlSources& now = sources.now;
  now.summary_xxh3 = summary ? summary->xxh3 : 0;
  now.closes_xxh3 = closes_fingerprint(closes, options_.as_of);
  now.mergers_xxh3 = mergers_xxh3_;
  now.rules_version = kPnlRulesVersion;
  now.start = options_.start;
  now.as_of = options_.as_of;
  now.daily = options_.daily;
  now.ledger = options_.ledger;
  if (is_incremental_) sources.before = folder_.load(symbol);
  if (sources.before &&
      !speaks_of(sources.before->checkpoint, *writer_.generation().base(), suffix_)) {
    folder_.reject(symbol, "it speaks of other tables than these");
    sources.before.reset();
  }
  return sources;
}

Result<std::optional<PnlSet::KeptTables>> PnlSet::find_kept(const std::string& symbol,
                                                            const SymbolSources& sources) {
  if (!sources.before) return std::nullopt;
  const PnlCheckpoint& before = sources.before->checkpoint;
  if (!before.sources.gives_same_tables(sources.now)) return std::nullopt;
  const GenerationWriter& generation = writer_.generation();
  KeptTables kept;
  for (size_t i = 0; i < kPnlFileTables.size(); ++i) {
    if (!is_wanted(i)) continue;
    kept.files[i] = find_pnl_file(*generation.base(), i, suffix_, symbol);
    if (!kept.files[i]) return std::nullopt;
  }
  auto accounts = read_kept_accounts(generation.base_path(), *kept.files[0], symbol, options_.mode,
                                     writer_.pool());
  if (!accounts) {
    if (accounts.error().kind != ErrorKind::kCorrupt) return std::unexpected(accounts.error());
    folder_.reject(symbol, accounts.error().message);
    return std::nullopt;
  }
  kept.accounts = std::move(*accounts);
  std::vector<AccountPnl>& of_brokers = kept.accounts.pnl.accounts;
  if (before.ends.size() != of_brokers.size()) {
    folder_.reject(symbol, "its accounts are not those of its tables");
    return std::nullopt;
  }
  for (size_t i = 0; i < of_brokers.size(); ++i) {
    of_brokers[i].last_trade_date = before.ends[i].last_trade_date;
    of_brokers[i].has_open_lots = before.ends[i].has_open_lots;
  }
  return kept;
}

Status PnlSet::keep(size_t symbol_index, const KeptTables& kept) {
  for (size_t i = 0; i < kPnlFileTables.size(); ++i) {
    if (kept.files[i]) TW_TRY(writer_.generation().keep_file(table_name(i), *kept.files[i]));
  }
  TW_TRY(folder_.keep(kept.accounts.brokers.symbol));
  return tables_.put_accounts(symbol_index, kept.accounts.brokers, kept.accounts.pnl);
}

Result<PnlSet::Computed> PnlSet::compute(const DailySummary& summary, const PriceSeries& closes,
                                         const SymbolSources& sources) {
  Computed computed;
  const auto memory = [&] { return used_.take().value_or(SymbolPnl{}); };
  const bool saves_states =
      !is_compat(options_.mode) &&
      (is_incremental_ || summary.row_count() >= kRowsPerAccountMin * summary.brokers.size());
  if (!saves_states) {
    TW_ASSIGN(computed.pnl, compute_symbol_pnl(summary, closes, options_, memory()));
    return computed;
  }
  std::vector<Day> fingerprint_days = days_;
  if (sources.before) {
    for (const SavedState& saved : sources.before->checkpoint.states) {
      if (saved.state.day <= options_.as_of) fingerprint_days.push_back(saved.state.day);
    }
  }
  const StateFingerprints fingerprints(summary, closes, options_, std::move(fingerprint_days));
  std::vector<const SavedState*> fitting;
  if (sources.before) {
    fitting = fitting_states(sources.before->checkpoint, fingerprints, options_.as_of);
  }
  PnlStates states{.from = nullptr, .save_days = days_};
  // Rows of pnl_daily and of the ledger are written for every day anyway, and computing them costs
  // less than reading the old ones would.
  const bool needs_all_days = options_.daily || options_.ledger;
  if (!fitting.empty() && !needs_all_days) states.from = &fitting.back()->state;
  auto pnl = compute_symbol_pnl(summary, closes, options_, states, memory());
  if (!pnl && states.from != nullptr && pnl.error().kind == ErrorKind::kInternal) {
    folder_.reject(summary.symbol, "its states are not those of its rows");
    states = {.from = nullptr, .save_days = days_};
    pnl = compute_symbol_pnl(summary, closes, options_, states, memory());
  }
  if (!pnl) return std::unexpected(std::move(pnl).error());
  computed.pnl = std::move(*pnl);
  if (states.from != nullptr) {
    for (const SavedState* saved : fitting) {
      if (std::ranges::binary_search(days_, saved->state.day)) computed.states.push_back(*saved);
    }
  }
  for (SymbolState& state : states.saved) {
    const uint64_t fingerprint = fingerprints.up_to(state.day);
    computed.states.push_back({std::move(state), fingerprint});
  }
  return computed;
}

void PnlSet::use_again(SymbolPnl pnl) {
  if (bytes_of(pnl) <= kKeptBytesMax) used_.give_back(std::move(pnl));
}

Status PnlSet::put(size_t symbol_index, const DailySummary& summary, const SymbolPnl& pnl,
                   const SymbolSources& sources, std::vector<SavedState> states) {
  TW_TRY(tables_.put(symbol_index, summary, pnl));
  if (is_compat(options_.mode)) return {};
  PnlCheckpoint checkpoint{.symbol = summary.symbol,
                           .sources = sources.now,
                           .files = {},
                           .ends = {},
                           .states = std::move(states)};
  for (const AccountPnl& account : pnl.accounts) {
    checkpoint.ends.push_back({account.last_trade_date, account.has_open_lots});
  }
  checkpoint.sources.last_day = last_day_of(summary);
  for (size_t i = 0; i < kPnlFileTables.size(); ++i) {
    const auto file = writer_.generation().file(table_name(i), path_of(i, summary.symbol));
    if (file) checkpoint.files[i] = file->xxh3;
  }
  return folder_.save(checkpoint);
}

Status PnlSet::finish(const std::map<std::string, std::string>& options_text,
                      const std::vector<std::string>& tables,
                      const std::map<std::string, uint64_t>& pnl_counts, size_t thread_count) {
  folder_.warn();
  used_.clear();
  return tables_.finish(options_text, tables, pnl_counts, thread_count);
}

}  // namespace tapeworks
