#include "pipeline/price_quality.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include <arrow/builder.h>
#include <arrow/table.h>

#include "pipeline/daily_summary_file.h"
#include "storage/arrow_status_internal.h"

namespace tapeworks {
namespace {

/// How far from the exact ratio a jump still looks like a split, relative to it.
constexpr double kSplitTolerance = 0.05;

struct SplitRatio {
  double value;
  std::string_view text;
};
constexpr std::array<SplitRatio, 10> kSplitRatios = {{{1.0 / 10, "1/10"},
                                                      {1.0 / 5, "1/5"},
                                                      {1.0 / 4, "1/4"},
                                                      {1.0 / 3, "1/3"},
                                                      {1.0 / 2, "1/2"},
                                                      {2, "2"},
                                                      {3, "3"},
                                                      {4, "4"},
                                                      {5, "5"},
                                                      {10, "10"}}};

/// Empty for a jump that does not look like a split.
std::string_view split_ratio(double before, double after) {
  if (!(before > 0) || !(after > 0)) return {};
  const double ratio = after / before;
  for (const SplitRatio& split : kSplitRatios) {
    if (std::abs(ratio - split.value) <= kSplitTolerance * split.value) return split.text;
  }
  return {};
}

/// What happens on one day, over all symbols.
struct DayTally {
  uint64_t close_count = 0;
  uint64_t first_count = 0;  ///< symbols whose first close this is
  uint64_t last_count = 0;
};

void add_series(const PriceSeries& series, std::map<Day, DayTally>& tallies) {
  DayTally* first = nullptr;
  DayTally* last = nullptr;
  auto at = tallies.begin();
  for (size_t i = 0; i < series.date.size(); ++i) {
    if (std::isnan(series.close[i])) continue;
    const Day day = series.date[i];
    // Series are sorted and mostly without holes, so the next day is the next entry.
    if (first == nullptr) at = tallies.lower_bound(day);
    while (at != tallies.end() && at->first < day) ++at;
    if (at == tallies.end() || at->first != day) at = tallies.emplace_hint(at, day, DayTally{});
    last = &at->second;
    if (first == nullptr) first = last;
    ++last->close_count;
  }
  if (first == nullptr) return;
  ++first->first_count;
  ++last->last_count;
}

/// The flaws of one symbol's closes.
class SeriesCheck {
 public:
  SeriesCheck(const std::vector<Day>& calendar,
              const std::function<void(const PriceFinding&)>& visit)
      : calendar_(calendar), visit_(visit) {}

  void run(std::string_view symbol, const PriceSeries& series) const {
    std::optional<size_t> previous;
    for (size_t i = 0; i < series.date.size(); ++i) {
      if (std::isnan(series.close[i])) continue;
      look_at_close(symbol, series.date[i], series.close[i]);
      if (previous) look_between(symbol, series, *previous, i);
      previous = i;
    }
  }

 private:
  void look_at_close(std::string_view symbol, Day day, double close) const {
    if (close > 0) return;
    visit_({.symbol = symbol,
            .flaw = close < 0 ? PriceFlaw::kNegative : PriceFlaw::kZero,
            .first_day = day,
            .last_day = day,
            .close_after = close});
  }

  void look_between(std::string_view symbol, const PriceSeries& series, size_t before,
                    size_t after) const {
    PriceFinding finding{.symbol = symbol,
                         .flaw = PriceFlaw::kGap,
                         .close_before = series.close[before],
                         .close_after = series.close[after]};
    const auto begin = std::ranges::upper_bound(calendar_, series.date[before]);
    const auto end = std::ranges::lower_bound(begin, calendar_.end(), series.date[after]);
    if (begin != end) {
      finding.first_day = *begin;
      finding.last_day = *std::prev(end);
      finding.day_count = static_cast<uint64_t>(end - begin);
      visit_(finding);
    }
    finding.ratio = split_ratio(series.close[before], series.close[after]);
    if (finding.ratio.empty()) return;
    finding.flaw = PriceFlaw::kSplit;
    finding.first_day = series.date[before];
    finding.last_day = series.date[after];
    finding.day_count.reset();
    visit_(finding);
  }

  const std::vector<Day>& calendar_;
  const std::function<void(const PriceFinding&)>& visit_;
};

bool has_close(const PriceSeries& series) {
  return std::ranges::any_of(series.close, [](double close) { return !std::isnan(close); });
}

template <typename Builder, typename Value>
arrow::Status append(Builder& builder, const std::optional<Value>& value) {
  return value ? builder.Append(*value) : builder.AppendNull();
}

std::optional<int32_t> number_of(const std::optional<Day>& day) {
  return day ? std::optional(day->days_since_epoch) : std::nullopt;
}

arrow::Result<std::shared_ptr<arrow::Table>> make_table(const std::vector<PriceFinding>& findings,
                                                        arrow::MemoryPool* pool) {
  arrow::StringBuilder symbol(pool);
  arrow::StringBuilder flaw(pool);
  arrow::Date32Builder first(pool);
  arrow::Date32Builder last(pool);
  arrow::Int64Builder days(pool);
  arrow::DoubleBuilder before(pool);
  arrow::DoubleBuilder after(pool);
  arrow::StringBuilder ratio(pool);
  for (const PriceFinding& finding : findings) {
    ARROW_RETURN_NOT_OK(symbol.Append(finding.symbol));
    ARROW_RETURN_NOT_OK(flaw.Append(to_string(finding.flaw)));
    ARROW_RETURN_NOT_OK(append(first, number_of(finding.first_day)));
    ARROW_RETURN_NOT_OK(append(last, number_of(finding.last_day)));
    ARROW_RETURN_NOT_OK(append(days, finding.day_count));
    ARROW_RETURN_NOT_OK(append(before, finding.close_before));
    ARROW_RETURN_NOT_OK(append(after, finding.close_after));
    ARROW_RETURN_NOT_OK(finding.ratio.empty() ? ratio.AppendNull() : ratio.Append(finding.ratio));
  }
  const auto schema = arrow::schema(
      {arrow::field("symbol_id", arrow::utf8()), arrow::field("finding", arrow::utf8()),
       arrow::field("first_date", arrow::date32()), arrow::field("last_date", arrow::date32()),
       arrow::field("days", arrow::int64()), arrow::field("close_before", arrow::float64()),
       arrow::field("close_after", arrow::float64()), arrow::field("ratio", arrow::utf8())});
  const std::array<arrow::ArrayBuilder*, 8> builders{&symbol, &flaw,   &first, &last,
                                                     &days,   &before, &after, &ratio};
  arrow::ArrayVector columns(builders.size());
  for (size_t i = 0; i < builders.size(); ++i) {
    ARROW_RETURN_NOT_OK(builders[i]->Finish(&columns[i]));
  }
  return arrow::Table::Make(schema, std::move(columns), static_cast<int64_t>(findings.size()));
}

}  // namespace

std::string_view to_string(PriceFlaw flaw) {
  switch (flaw) {
    case PriceFlaw::kGap:
      return "gap";
    case PriceFlaw::kZero:
      return "zero";
    case PriceFlaw::kNegative:
      return "negative";
    case PriceFlaw::kSplit:
      return "split";
    case PriceFlaw::kNoClose:
      return "no_close";
    case PriceFlaw::kNoTrades:
      return "no_trades";
  }
  return "";
}

std::vector<Day> trading_calendar(const ClosePrices& prices) {
  std::map<Day, DayTally> tallies;
  for (const auto& [symbol, series] : prices.by_symbol()) add_series(series, tallies);
  std::vector<Day> calendar;
  uint64_t listed_count = 0;
  for (const auto& [day, tally] : tallies) {
    listed_count += tally.first_count;
    if (tally.close_count * 2 >= listed_count) calendar.push_back(day);
    listed_count -= tally.last_count;
  }
  return calendar;
}

void visit_close_flaws(const ClosePrices& prices,
                       const std::function<void(const PriceFinding&)>& visit) {
  const std::vector<Day> calendar = trading_calendar(prices);
  const SeriesCheck check(calendar, visit);
  for (const auto& [symbol, series] : prices.by_symbol()) check.run(symbol, series);
}

void visit_coverage_flaws(const ClosePrices& prices, const std::vector<std::string>& traded,
                          const std::function<void(const PriceFinding&)>& visit) {
  for (const std::string& symbol : traded) {
    if (!has_close(prices.of(symbol))) visit({.symbol = symbol, .flaw = PriceFlaw::kNoClose});
  }
  for (const auto& [symbol, series] : prices.by_symbol()) {
    if (!has_close(series) || std::ranges::binary_search(traded, symbol)) continue;
    visit({.symbol = symbol, .flaw = PriceFlaw::kNoTrades});
  }
}

std::vector<std::string> traded_symbols(const Manifest& manifest) {
  std::vector<std::string> symbols;
  const Table* table = manifest.find("daily_summary");
  if (table == nullptr) return symbols;
  for (const TableFile& file : table->files) symbols.push_back(symbol_of_file(file.path));
  std::ranges::sort(symbols);
  return symbols;
}

std::map<std::string, uint64_t> close_flaw_counts(const ClosePrices& prices) {
  std::map<std::string, uint64_t> counts{
      {"gap_days", 0}, {"closes_negative", 0}, {"jumps_like_split", 0}};
  visit_close_flaws(prices, [&](const PriceFinding& finding) {
    if (finding.flaw == PriceFlaw::kGap) counts["gap_days"] += *finding.day_count;
    if (finding.flaw == PriceFlaw::kNegative) ++counts["closes_negative"];
    if (finding.flaw == PriceFlaw::kSplit) ++counts["jumps_like_split"];
  });
  return counts;
}

std::map<std::string, uint64_t> coverage_flaw_counts(const ClosePrices& prices,
                                                     const Manifest& manifest) {
  std::map<std::string, uint64_t> counts{{"symbols_without_close", 0},
                                         {"symbols_without_trades", 0}};
  visit_coverage_flaws(prices, traded_symbols(manifest), [&](const PriceFinding& finding) {
    ++counts[finding.flaw == PriceFlaw::kNoClose ? "symbols_without_close"
                                                 : "symbols_without_trades"];
  });
  return counts;
}

Result<std::shared_ptr<arrow::Table>> price_findings_table(
    const std::vector<PriceFinding>& findings, arrow::MemoryPool* pool) {
  return from_arrow(make_table(findings, pool), "building the result");
}

}  // namespace tapeworks
