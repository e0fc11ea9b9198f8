#include "pipeline/close_prices_sync.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include <arrow/builder.h>
#include <arrow/table.h>

#include <nlohmann/json.hpp>

#include "base/interrupt.h"
#include "base/messages.h"
#include "base/row_progress.h"
#include "base/run_stats.h"
#include "base/utf8.h"
#include "pipeline/close_prices_sync_internal.h"
#include "pipeline/daily_summary_file.h"
#include "pipeline/database_address.h"
#include "pipeline/price_columns.h"
#include "pipeline/price_quality.h"
#include "pipeline/refresh_history.h"
#include "pipeline/traded_symbols.h"
#include "storage/arrow_status_internal.h"
#include "storage/input_file.h"
#include "storage/value_interner.h"

namespace tapeworks {
namespace {

constexpr double kNoClose = std::numeric_limits<double>::quiet_NaN();

/// One row of the source that passed the checks.
struct SourceRow {
  uint32_t symbol = 0;  ///< number of the interner, later the rank of the symbol
  Day date;
  double close = kNoClose;  ///< kNoClose when missing
  uint32_t row = 0;         ///< of the source
};

std::chrono::hours day_offset(Mode mode) {
  return std::chrono::hours{mode == Mode::kCompatV1 ? 0 : 8};
}

/// Reads the source part by part and keeps the rows that are good.
class RowChecker {
 public:
  RowChecker(const PriceReadOptions& options, PriceSource& source, MemoryBudget& budget)
      : options_(options), source_(source), budget_(budget) {}

  Status read_all() {
    RowProgress progress("reading closes");
    while (true) {
      TW_TRY(check_interrupt());
      TW_ASSIGN(const auto part, source_.next());
      if (!part) return {};
      TW_TRY(add(*part));
      const int64_t expected = source_.expected_row_count();
      progress.set(rows_read_, static_cast<uint64_t>(std::max<int64_t>(expected, 0)));
    }
  }

  /// Replaces the numbers of the symbols by their ranks, sorts, and gives everything away.
  std::vector<SourceRow> take_sorted() {
    const auto& texts = interner_.values();
    std::vector<uint32_t> order(texts.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::sort(order, {}, [&](uint32_t number) { return texts[number]; });
    std::vector<uint32_t> ranks(texts.size());
    for (uint32_t rank = 0; rank < order.size(); ++rank) {
      ranks[order[rank]] = rank;
      symbols_.emplace_back(texts[order[rank]]);
    }
    for (SourceRow& row : rows_) row.symbol = ranks[row.symbol];
    const auto before = [](const SourceRow& a, const SourceRow& b) {
      return std::tie(a.symbol, a.date, a.row) < std::tie(b.symbol, b.date, b.row);
    };
    if (!std::ranges::is_sorted(rows_, before)) std::ranges::sort(rows_, before);
    return std::move(rows_);
  }

  /// By rank, after take_sorted().
  const std::vector<std::string>& symbols() const { return symbols_; }
  uint64_t rows_read() const { return rows_read_; }
  uint64_t rows_before_since() const { return rows_before_since_; }
  uint64_t rows_of_other_symbols() const { return rows_of_other_symbols_; }
  uint64_t closes_zero() const { return closes_zero_; }

 private:
  Status add(const PriceSource::Part& part) {
    const auto days = days_of(*part.date, day_offset(options_.mode));
    if (!days) return bad_row(part.first_row + days.error().index, days.error().reason);
    const std::vector<CloseValue> closes = closes_of(*part.close, options_.amounts);
    const size_t row_count = days->size();
    rows_read_ += row_count;
    if (rows_read_ > std::numeric_limits<uint32_t>::max()) {
      return corrupt("{}: more than 4 billion rows; is this a file of closes?", source_.name());
    }
    TW_TRY(reserve(rows_.size() + row_count));
    Status status;
    visit_text(*part.symbol, [&](int64_t i, std::optional<std::string_view> symbol) {
      if (status) status = add_row(part, i, symbol, (*days)[i], closes[i]);
    });
    return status;
  }

  Status add_row(const PriceSource::Part& part, int64_t i, std::optional<std::string_view> symbol,
                 Day date, const CloseValue& close) {
    const int64_t row = part.first_row + i;
    if (date == kNullDay) return bad_row(row, "there is no date");
    if (options_.since && date < *options_.since) {
      ++rows_before_since_;
      return {};
    }
    if (!symbol || symbol->empty()) return bad_row(row, "there is no symbol");
    if (!options_.symbols.empty() && !options_.symbols.contains(*symbol)) {
      ++rows_of_other_symbols_;
      return {};
    }
    if (const auto reason = why_bad(close)) {
      return bad_row(row, fmt::format("close '{}' of {} on {} {}", value_text(*part.close, i),
                                      *symbol, to_string(date), *reason));
    }
    TW_ASSIGN(const uint32_t number, number_of(*symbol, row));
    const bool is_zero = close.kind != CloseKind::kMissing && close.value == 0;
    closes_zero_ += is_zero ? 1 : 0;
    const bool missing =
        close.kind == CloseKind::kMissing || (is_zero && !is_compat(options_.mode));
    rows_.push_back({number, date, missing ? kNoClose : close.value, static_cast<uint32_t>(row)});
    return {};
  }

  /// Nothing for a close that may stand.
  std::optional<std::string_view> why_bad(const CloseValue& close) const {
    if (close.kind == CloseKind::kMissing) return std::nullopt;
    if (close.kind == CloseKind::kBad)
      return "is no number that fits; correct it or leave it empty";
    if (std::isnan(close.value)) return "is no number; leave it empty when there is no close";
    if (is_compat(options_.mode)) return std::nullopt;
    if (std::isinf(close.value)) return "is too large; correct it or leave it empty";
    if (close.value < 0) return "is negative; correct it or leave it empty";
    return std::nullopt;
  }

  /// Files are mostly ordered by symbol or by date, so the last symbol is worth a look.
  Result<uint32_t> number_of(std::string_view symbol, int64_t row) {
    const auto& texts = interner_.values();
    if (last_number_ < texts.size() && texts[last_number_] == symbol) return last_number_;
    const size_t known = texts.size();
    last_number_ = interner_.intern(symbol);
    if (texts.size() != known && !is_utf8(symbol)) {
      return bad_row(row, "the symbol is no UTF-8 text; convert the file to UTF-8");
    }
    return last_number_;
  }

  std::unexpected<Error> bad_row(int64_t row, std::string_view reason) const {
    return corrupt("{}: {}: {}", source_.name(), source_.place(row), reason);
  }

  /// Room for all rows that the source expects at once, or for less where the budget says no.
  Status reserve(size_t row_count) {
    if (row_count <= rows_.capacity()) return {};
    const size_t expected = static_cast<size_t>(
        std::min<int64_t>(source_.expected_row_count(), std::numeric_limits<uint32_t>::max()));
    for (const size_t capacity : {expected, rows_.capacity() * 3 / 2, row_count}) {
      if (capacity >= row_count && grow(capacity)) return {};
    }
    return over_budget("{}: {} rows of closes do not fit in memory; give a larger --memory",
                       source_.name(), row_count);
  }

  bool grow(size_t capacity) {
    // Old and new array exist together while rows move.
    const uint64_t bytes = (capacity + rows_.capacity()) * sizeof(SourceRow);
    const bool granted = reservation_.bytes() == 0 ? budget_.try_reserve(bytes, reservation_)
                                                   : reservation_.resize(bytes);
    if (!granted) return false;
    rows_.reserve(capacity);
    // Giving back is always granted.
    (void)reservation_.resize(capacity * sizeof(SourceRow));
    return true;
  }

  const PriceReadOptions& options_;
  PriceSource& source_;
  MemoryBudget& budget_;
  Reservation reservation_;
  std::vector<SourceRow> rows_;
  ValueInterner interner_;
  uint32_t last_number_ = std::numeric_limits<uint32_t>::max();
  std::vector<std::string> symbols_;
  uint64_t rows_read_ = 0;
  uint64_t rows_before_since_ = 0;
  uint64_t rows_of_other_symbols_ = 0;
  uint64_t closes_zero_ = 0;
};

/// The close that several rows of one (symbol, date), in the order of the file, stand for. `other`
/// is a row that contradicts `chosen`, in the default mode.
struct ChosenRow {
  const SourceRow* chosen = nullptr;
  const SourceRow* other = nullptr;
};

ChosenRow choose_row(std::span<const SourceRow> rows, Mode mode) {
  if (mode == Mode::kCompatV1) return {&rows.back(), nullptr};
  ChosenRow result{&rows.front(), nullptr};
  for (const SourceRow& row : rows.subspan(1)) {
    if (std::isnan(row.close)) continue;
    const bool first_close = std::isnan(result.chosen->close);
    if (mode == Mode::kCompatV2 || first_close) {
      result.chosen = &row;
    } else if (row.close != result.chosen->close && result.other == nullptr) {
      result.other = &row;
    }
  }
  return result;
}

/// Keeps one row a (symbol, date), in place. Names the first contradiction and counts the others.
Status merge_repeated_rows(std::vector<SourceRow>& rows, const std::vector<std::string>& symbols,
                           const PriceSource& source, Mode mode) {
  size_t kept = 0;
  size_t contradictions = 0;
  std::string first_contradiction;
  for (size_t begin = 0; begin < rows.size();) {
    size_t end = begin + 1;
    while (end < rows.size() && rows[end].symbol == rows[begin].symbol &&
           rows[end].date == rows[begin].date) {
      ++end;
    }
    const auto [chosen, other] = choose_row(std::span(rows).subspan(begin, end - begin), mode);
    if (other != nullptr && contradictions++ == 0) {
      first_contradiction =
          fmt::format("{} has two closes on {}: {} ({}) and {} ({})", symbols[chosen->symbol],
                      to_string(chosen->date), chosen->close, source.place(chosen->row),
                      other->close, source.place(other->row));
    }
    rows[kept++] = *chosen;
    begin = end;
  }
  rows.resize(kept);
  if (contradictions == 0) return {};
  if (contradictions == 1) {
    return corrupt("{}: {}; remove the wrong row", source.name(), first_contradiction);
  }
  return corrupt("{}: {}; {} more such pairs follow; remove the wrong rows", source.name(),
                 first_contradiction, contradictions - 1);
}

template <typename Builder, typename Value>
arrow::Result<std::shared_ptr<arrow::Array>> close_array(const std::vector<SourceRow>& rows,
                                                         arrow::MemoryPool* pool) {
  Builder builder(pool);
  ARROW_RETURN_NOT_OK(builder.Reserve(static_cast<int64_t>(rows.size())));
  for (const SourceRow& row : rows) {
    if (std::isnan(row.close)) {
      builder.UnsafeAppendNull();
    } else {
      builder.UnsafeAppend(static_cast<Value>(row.close));
    }
  }
  return builder.Finish();
}

arrow::Result<std::shared_ptr<arrow::Table>> make_table(const std::vector<SourceRow>& rows,
                                                        const std::vector<std::string>& symbols,
                                                        AmountWidth amounts,
                                                        arrow::MemoryPool* pool) {
  const auto row_count = static_cast<int64_t>(rows.size());
  arrow::StringBuilder symbol_builder(pool);
  arrow::Date32Builder date_builder(pool);
  ARROW_RETURN_NOT_OK(symbol_builder.Reserve(row_count));
  ARROW_RETURN_NOT_OK(date_builder.Reserve(row_count));
  for (const SourceRow& row : rows) {
    ARROW_RETURN_NOT_OK(symbol_builder.Append(symbols[row.symbol]));
    date_builder.UnsafeAppend(row.date.days_since_epoch);
  }
  arrow::ArrayVector columns(3);
  ARROW_ASSIGN_OR_RAISE(columns[0], symbol_builder.Finish());
  ARROW_ASSIGN_OR_RAISE(columns[1], date_builder.Finish());
  const bool narrow = amounts == AmountWidth::kFloat32;
  ARROW_ASSIGN_OR_RAISE(columns[2], narrow
                                        ? (close_array<arrow::FloatBuilder, float>(rows, pool))
                                        : (close_array<arrow::DoubleBuilder, double>(rows, pool)));
  const auto schema = arrow::schema(
      {arrow::field("symbol_id", arrow::utf8()), arrow::field("date", arrow::date32()),
       arrow::field("close_price", narrow ? arrow::float32() : arrow::float64())});
  return arrow::Table::Make(schema, std::move(columns), row_count);
}

uint64_t count_missing(const std::vector<SourceRow>& rows) {
  return static_cast<uint64_t>(
      std::ranges::count_if(rows, [](const SourceRow& row) { return std::isnan(row.close); }));
}

/// A file without one close is the wrong file or the wrong column; it must not replace good closes.
Status check_not_empty(const std::vector<SourceRow>& rows, const PriceReadOptions& options) {
  const std::string where = price_source_name(options.source);
  if (rows.empty()) {
    return corrupt("{}: there is no row{}{}, so there is nothing to take over", where,
                   options.symbols.empty() ? "" : " of a symbol of daily_summary",
                   options.since ? " on or after " + to_string(*options.since) : "");
  }
  if (count_missing(rows) == rows.size()) {
    return corrupt("{}: no row has a close; choose another column with --column-close", where);
  }
  return {};
}

/// Everything from the source to the table; the rows are given back at its end.
Result<PriceReadResult> read_table(const PriceReadOptions& options, MemoryBudget& budget) {
  TW_ASSIGN(const auto source, PriceSource::open(options.source, options.columns, options.since,
                                                 options.bigquery, budget));
  RowChecker checker(options, *source, budget);
  TW_TRY(checker.read_all());
  std::vector<SourceRow> rows = checker.take_sorted();
  const size_t checked_row_count = rows.size();
  TW_TRY(merge_repeated_rows(rows, checker.symbols(), *source, options.mode));
  TW_TRY(check_not_empty(rows, options));

  PriceReadResult result;
  result.amounts = options.amounts;
  result.adjusted = options.adjusted;
  result.counts = {{"rows_read", checker.rows_read()},
                   {"rows_before_since", checker.rows_before_since()},
                   {"rows_repeated", checked_row_count - rows.size()},
                   {"closes_missing", count_missing(rows)},
                   {"closes_zero", checker.closes_zero()}};
  if (!options.symbols.empty()) {
    result.counts["rows_of_other_symbols"] = checker.rows_of_other_symbols();
  }
  const auto [first, last] = std::ranges::minmax(rows, {}, &SourceRow::date);
  result.first_day = first.date;
  result.last_day = last.date;
  TW_ASSIGN(result.table,
            from_arrow(make_table(rows, checker.symbols(), options.amounts, budget.pool()),
                       source->name()));
  return result;
}

}  // namespace

Result<PriceReadResult> read_close_prices_source(const PriceReadOptions& options,
                                                 MemoryBudget& budget) {
  PhaseTimer timer("read prices");
  TW_ASSIGN(PriceReadResult result, read_table(options, budget));
  timer.add_rows(result.counts["rows_read"]);
  TW_ASSIGN(result.prices, close_prices_of(*result.table, price_source_name(options.source)));
  result.counts.merge(close_flaw_counts(result.prices));
  return result;
}

Status write_price_table(const TableWriter& writer, const PriceReadResult& prices) {
  TW_TRY(writer.add(kPriceTable, kPriceFile, *prices.table));
  std::map<std::string, std::string> options{{"amounts", std::string(to_string(prices.amounts))}};
  if (prices.adjusted) options["adjusted"] = "true";
  return writer.generation().describe_table(kPriceTable, std::move(options), {}, prices.counts);
}

namespace {

/// kInvalidArgument when a table that stays was made in another mode.
Status check_price_mode(const std::optional<Manifest>& base, Mode mode) {
  if (!base || base->mode == to_string(mode)) return {};
  for (const auto& [name, table] : base->tables) {
    if (name == kPriceTable) continue;
    return invalid_argument(
        "the table {} was made in mode '{}' and this run is in mode '{}'; use the same --compat or "
        "another --data",
        name, base->mode, to_string(mode));
  }
  return {};
}

/// Closes are as wide as the amounts that they will be compared with.
AmountWidth close_width_of(const std::optional<Manifest>& base, AmountWidth otherwise) {
  const Table* summary = base ? base->find("daily_summary") : nullptr;
  return summary == nullptr ? otherwise : amounts_of(*summary);
}

/// What stands in run.json.
nlohmann::ordered_json sync_run_info(const std::string& source) {
  nlohmann::ordered_json input;
  if (is_database_address(source)) {
    // Neither options nor query: either may hold what is no one's business.
    input["database"] = price_source_name(source);
  } else {
    const std::string name = price_source_name(source);
    input["path"] = absolute_name(name);
    if (const auto status = status_of_input(name)) input["bytes"] = status->byte_count;
  }
  nlohmann::ordered_json info;
  info["command"] = "sync";
  info["inputs"] = nlohmann::ordered_json::array({std::move(input)});
  return info;
}

/// A table of a database may hold far more than is traded here: it is read for the symbols of
/// daily_summary from the first trade on. What a query or a file holds was chosen on purpose.
Status apply_table_defaults(PriceReadOptions& options, const GenerationWriter& generation,
                            MemoryBudget& budget) {
  if (!generation.base() || !is_database_address(options.source)) return {};
  TW_ASSIGN(const bool is_table, names_a_table(options.source));
  if (!is_table) return {};
  TW_ASSIGN(TradedSymbols traded,
            traded_symbols(generation.base_path(), *generation.base(), budget));
  options.symbols = std::move(traded.symbols);
  if (!options.since) options.since = traded.first_day;
  return {};
}

Status keep_all_but_prices(GenerationWriter& generation) {
  if (!generation.base()) return {};
  for (const auto& [name, table] : generation.base()->tables) {
    if (name != kPriceTable) TW_TRY(generation.keep_table(name));
  }
  return {};
}

}  // namespace

Result<PriceSync> begin_price_sync(const SyncOptions& options, MemoryBudget& budget) {
  PriceReadOptions prices = options.prices;
  TW_TRY(check_price_source(prices.source));
  TW_ASSIGN(GenerationWriter generation,
            GenerationWriter::begin(options.data_dir, {options.keep_generations_for}));
  TW_TRY(check_price_mode(generation.base(), prices.mode));
  prices.amounts = close_width_of(generation.base(), prices.amounts);
  TW_TRY(apply_table_defaults(prices, generation, budget));
  return PriceSync{std::move(generation), std::move(prices)};
}

Result<std::string> publish_prices(PriceSync& sync, const PriceReadResult& prices,
                                   const nlohmann::ordered_json& changes, MemoryBudget& budget) {
  GenerationWriter& generation = sync.generation;
  TW_TRY(write_price_table(TableWriter(generation, sync.prices.mode, budget), prices));
  TW_TRY(keep_all_but_prices(generation));
  nlohmann::ordered_json info = sync_run_info(sync.prices.source);
  if (!changes.is_null()) info["changes"] = changes;
  add_refresh_history(read_refresh_history(generation.base_path()), info);
  const uint64_t number = generation.number();
  TW_TRY(generation.publish(std::string(to_string(sync.prices.mode)), info));
  return fmt::format("{} closes of {} symbols, {} to {}, in generation {}",
                     prices.table->num_rows(), prices.prices.by_symbol().size(),
                     to_string(prices.first_day), to_string(prices.last_day), number);
}

Status sync_prices(const SyncOptions& options, MemoryBudget& budget) {
  TW_ASSIGN(PriceSync sync, begin_price_sync(options, budget));
  TW_ASSIGN(const PriceReadResult prices, read_close_prices_source(sync.prices, budget));
  add_run_rows(prices.counts.at("rows_read"));
  TW_ASSIGN(const std::string published, publish_prices(sync, prices, {}, budget));
  note("{}", published);
  return {};
}

}  // namespace tapeworks
