#include "pipeline/price_increment.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <arrow/builder.h>
#include <arrow/table.h>

#include "base/messages.h"
#include "base/run_stats.h"
#include "pipeline/close_prices_sync_internal.h"
#include "pipeline/price_quality.h"
#include "pipeline/price_source.h"
#include "storage/arrow_status_internal.h"
#include "storage/table_file_check.h"

namespace tapeworks {
namespace {

constexpr size_t kCorrectionsShownMax = 10;
constexpr size_t kCorrectionsRecordedMax = 1000;

using SeriesBySymbol = std::map<std::string, PriceSeries, std::less<>>;

bool same_close(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

void append(PriceSeries& series, Day date, double close) {
  series.date.push_back(date);
  series.close.push_back(close);
}

/// Puts the series of one symbol together, day by day.
class SeriesMerge {
 public:
  SeriesMerge(std::string_view symbol, const PriceWindow& window, PriceChanges& changes)
      : symbol_(symbol), window_(window), changes_(changes) {}

  PriceSeries merge(const PriceSeries& known, const PriceSeries& fetched) {
    size_t i = 0;
    size_t j = 0;
    while (i < known.date.size() || j < fetched.date.size()) {
      const bool takes_known =
          j == fetched.date.size() || (i < known.date.size() && known.date[i] < fetched.date[j]);
      if (takes_known) {
        take_unconfirmed(known.date[i], known.close[i]);
        ++i;
        continue;
      }
      if (i < known.date.size() && known.date[i] == fetched.date[j]) {
        compare(known.date[i], known.close[i], fetched.close[j]);
        ++i;
      } else {
        ++changes_.added;
      }
      append(result_, fetched.date[j], fetched.close[j]);
      ++j;
    }
    return std::move(result_);
  }

 private:
  /// A known day that is not in the fetch: it was not asked for, or is gone.
  void take_unconfirmed(Day date, double close) {
    const bool was_asked_for = !window_.from || date >= *window_.from;
    if (was_asked_for && !window_.keeps_vanished) {
      ++changes_.vanished;
      return;
    }
    if (was_asked_for) ++changes_.kept;
    append(result_, date, close);
  }

  void compare(Day date, double before, double after) {
    if (same_close(before, after)) return;
    changes_.corrections.push_back({std::string(symbol_), date, before, after});
  }

  std::string_view symbol_;
  const PriceWindow& window_;
  PriceChanges& changes_;
  PriceSeries result_;
};

std::string close_text(double close) {
  return std::isnan(close) ? "none" : fmt::format("{}", close);
}

void report(const PriceChanges& changes) {
  for (size_t i = 0; i < std::min(changes.corrections.size(), kCorrectionsShownMax); ++i) {
    const PriceCorrection& correction = changes.corrections[i];
    warn("corrected: {} on {}: {} is {} now", correction.symbol, to_string(correction.date),
         close_text(correction.before), close_text(correction.after));
  }
  if (changes.corrections.size() > kCorrectionsShownMax) {
    warn("corrected: {} more closes; run.json names them",
         changes.corrections.size() - kCorrectionsShownMax);
  }
  if (changes.vanished > 0) {
    warn("{} closes that the source has no more were taken out; --keep lets such closes stay",
         changes.vanished);
  }
  if (changes.kept > 0) warn("{} closes that the source has no more were kept", changes.kept);
}

nlohmann::ordered_json changes_record(const PriceChanges& changes) {
  const auto number = [](double close) {
    return std::isnan(close) ? nlohmann::ordered_json() : nlohmann::ordered_json(close);
  };
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const PriceCorrection& correction : changes.corrections) {
    if (list.size() == kCorrectionsRecordedMax) break;
    list.push_back({{"symbol_id", correction.symbol},
                    {"date", to_string(correction.date)},
                    {"before", number(correction.before)},
                    {"after", number(correction.after)}});
  }
  return {{"closes_corrected", changes.corrections.size()},
          {"closes_added", changes.added},
          {"closes_vanished", changes.vanished},
          {"closes_kept", changes.kept},
          {"corrections", std::move(list)}};
}

template <typename Builder, typename Value>
arrow::Result<std::shared_ptr<arrow::Array>> close_column(const ClosePrices& prices,
                                                          arrow::MemoryPool* pool) {
  Builder builder(pool);
  for (const auto& [symbol, series] : prices.by_symbol()) {
    ARROW_RETURN_NOT_OK(builder.Reserve(static_cast<int64_t>(series.close.size())));
    for (const double close : series.close) {
      if (std::isnan(close)) {
        builder.UnsafeAppendNull();
      } else {
        builder.UnsafeAppend(static_cast<Value>(close));
      }
    }
  }
  return builder.Finish();
}

arrow::Result<std::shared_ptr<arrow::Table>> table_of(const ClosePrices& prices,
                                                      AmountWidth amounts,
                                                      arrow::MemoryPool* pool) {
  arrow::StringBuilder symbols(pool);
  arrow::Date32Builder dates(pool);
  for (const auto& [symbol, series] : prices.by_symbol()) {
    for (const Day date : series.date) {
      ARROW_RETURN_NOT_OK(symbols.Append(symbol));
      ARROW_RETURN_NOT_OK(dates.Append(date.days_since_epoch));
    }
  }
  const bool narrow = amounts == AmountWidth::kFloat32;
  arrow::ArrayVector columns(3);
  ARROW_ASSIGN_OR_RAISE(columns[0], symbols.Finish());
  ARROW_ASSIGN_OR_RAISE(columns[1], dates.Finish());
  ARROW_ASSIGN_OR_RAISE(columns[2],
                        narrow ? (close_column<arrow::FloatBuilder, float>(prices, pool))
                               : (close_column<arrow::DoubleBuilder, double>(prices, pool)));
  const auto schema = arrow::schema(
      {arrow::field("symbol_id", arrow::utf8()), arrow::field("date", arrow::date32()),
       arrow::field("close_price", narrow ? arrow::float32() : arrow::float64())});
  const int64_t row_count = columns[0]->length();
  return arrow::Table::Make(schema, std::move(columns), row_count);
}

/// The closes of the base can be merged with those of this run.
Status check_base(const Table& table, const std::string& base_mode,
                  const PriceReadOptions& options) {
  constexpr const char* kRemedy = "run `tapeworks sync` once without --incremental and --keep";
  const auto option = [&](const char* name) {
    const auto found = table.options.find(name);
    return found == table.options.end() ? std::string() : found->second;
  };
  if (base_mode != to_string(options.mode)) {
    return invalid_argument("the closes were made in mode '{}' and this run is in mode '{}'; {}",
                            base_mode, to_string(options.mode), kRemedy);
  }
  if (option("amounts") != to_string(options.amounts)) {
    return invalid_argument("the closes are {} and the amounts {}; {}", option("amounts"),
                            to_string(options.amounts), kRemedy);
  }
  if ((option("adjusted") == "true") != options.adjusted) {
    return invalid_argument(
        "the closes were {}declared as adjusted and this run says otherwise (--adjusted); {}",
        options.adjusted ? "not " : "", kRemedy);
  }
  return {};
}

Day last_day_of(const ClosePrices& prices) {
  Day last = kNullDay;
  for (const auto& [symbol, series] : prices.by_symbol()) {
    if (series.date.empty()) continue;
    last = last == kNullDay ? series.date.back() : std::max(last, series.date.back());
  }
  return last;
}

/// Of symbols that the base does not know, all days are fetched.
Status fetch_new_symbols(PriceReadOptions options, std::optional<Day> since,
                         const ClosePrices& known, PriceReadResult& fetched, MemoryBudget& budget) {
  options.symbols.clear();
  for (const auto& [symbol, series] : fetched.prices.by_symbol()) {
    if (known.by_symbol().find(symbol) == known.by_symbol().end()) options.symbols.insert(symbol);
  }
  if (options.symbols.empty()) return {};
  options.since = since;
  TW_ASSIGN(const PriceReadResult whole, read_close_prices_source(options, budget));
  SeriesBySymbol series = fetched.prices.by_symbol();
  for (const auto& [symbol, days] : whole.prices.by_symbol()) series[symbol] = days;
  fetched.prices = ClosePrices(std::move(series));
  fetched.counts["rows_read"] += whole.counts.at("rows_read");
  return {};
}

/// The rest of what read_close_prices_source() gives, for the merged closes.
Status complete(PriceReadResult& result, const std::string& where, MemoryBudget& budget) {
  TW_ASSIGN(result.table,
            from_arrow(table_of(result.prices, result.amounts, budget.pool()), where));
  uint64_t missing = 0;
  bool is_first = true;
  for (const auto& [symbol, series] : result.prices.by_symbol()) {
    missing += static_cast<uint64_t>(
        std::ranges::count_if(series.close, [](double close) { return std::isnan(close); }));
    if (series.date.empty()) continue;
    result.first_day =
        is_first ? series.date.front() : std::min(result.first_day, series.date.front());
    is_first = false;
  }
  result.last_day = last_day_of(result.prices);
  result.counts["closes_missing"] = missing;
  for (const auto& [name, count] : close_flaw_counts(result.prices)) result.counts[name] = count;
  return {};
}

}  // namespace

MergedPrices merge_prices(const ClosePrices& known, const ClosePrices& fetched,
                          const PriceWindow& window) {
  SeriesBySymbol merged;
  PriceChanges changes;
  for (const auto& [symbol, series] : known.by_symbol()) {
    PriceSeries result = SeriesMerge(symbol, window, changes).merge(series, fetched.of(symbol));
    if (!result.date.empty()) merged.emplace(symbol, std::move(result));
  }
  for (const auto& [symbol, series] : fetched.by_symbol()) {
    if (known.by_symbol().find(symbol) != known.by_symbol().end()) continue;
    changes.added += series.date.size();
    merged.emplace(symbol, series);
  }
  return {ClosePrices(std::move(merged)), std::move(changes)};
}

Result<SyncOutcome> sync_changed_prices(const SyncOptions& options, const PriceIncrement& increment,
                                        MemoryBudget& budget) {
  TW_ASSIGN(PriceSync sync, begin_price_sync(options, budget));
  GenerationWriter& generation = sync.generation;
  PriceReadOptions& read_options = sync.prices;

  const Table* const base = generation.base() ? generation.base()->find(kPriceTable) : nullptr;
  ClosePrices known;
  PriceWindow window{std::nullopt, increment.keeps_vanished};
  const std::optional<Day> since = read_options.since;
  if (base != nullptr) {
    TW_TRY(check_base(*base, generation.base()->mode, read_options));
    TW_TRY(check_source_table(generation.base_path(), *base));
    TW_ASSIGN(known, load_close_prices(generation.base_path() / kPriceFile, budget.pool()));
    const Day last = last_day_of(known);
    if (increment.is_incremental && last != kNullDay) {
      window.from = Day{last.days_since_epoch - increment.overlap_days};
      if (since) window.from = std::max(*window.from, *since);
      read_options.since = window.from;
    }
  }
  Reservation memory;
  // The known closes, the fetched ones and the merged ones.
  if (!budget.try_reserve(known.byte_count() * 2, memory)) {
    return over_budget("the known closes do not fit in memory; give a larger --memory");
  }
  TW_ASSIGN(PriceReadResult fetched, read_close_prices_source(read_options, budget));
  if (window.from) {
    TW_TRY(fetch_new_symbols(read_options, since, known, fetched, budget));
  }
  add_run_rows(fetched.counts.at("rows_read"));

  MergedPrices merged = merge_prices(known, fetched.prices, window);
  report(merged.changes);
  if (base != nullptr && merged.changes.is_nothing()) return SyncOutcome::kNothingNew;
  fetched.prices = std::move(merged.prices);
  TW_TRY(complete(fetched, price_source_name(read_options.source), budget));
  const auto changes = base != nullptr ? changes_record(merged.changes) : nlohmann::ordered_json();
  TW_ASSIGN(const std::string published, publish_prices(sync, fetched, changes, budget));
  note("{}: {} corrected, {} new", published, merged.changes.corrections.size(),
       merged.changes.added);
  return SyncOutcome::kPublished;
}

}  // namespace tapeworks
