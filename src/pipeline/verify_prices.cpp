#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include <arrow/table.h>
#include <arrow/type.h>

#include "pipeline/price_columns.h"
#include "pipeline/verify_context_internal.h"
#include "storage/parquet_read.h"

namespace tapeworks {
namespace {

constexpr const char* kPricePath = "price/close_prices.parquet";
constexpr double kDatesWithoutCloseWarned = 0.01;

/// Reads the closes one row group at a time and keeps their dates.
class PriceTableCheck {
 public:
  explicit PriceTableCheck(VerifyContext& context) : context_(context) {}

  Status read() {
    const auto path = context_.path_of(kPricePath);
    arrow::MemoryPool* pool = context_.budget.pool();
    TW_ASSIGN(const ParquetInfo info, read_parquet_info(path, pool));
    TW_TRY(check_types(*info.schema));
    for (size_t i = 0; i < info.row_group_rows.size(); ++i) {
      TW_ASSIGN(const auto table,
                read_parquet_row_group(path, static_cast<int>(i),
                                       {"symbol_id", "date", "close_price"}, pool));
      arrow::TableBatchReader parts(*table);
      std::shared_ptr<arrow::RecordBatch> part;
      while (parts.ReadNext(&part).ok() && part != nullptr) TW_TRY(add(*part));
    }
    end_symbol();
    return {};
  }

  uint64_t row_count() const { return row_count_; }
  const std::set<Day>& days() const { return days_; }

  /// The days on which at least half of the symbols that are listed then, between their first and
  /// last close, have a close.
  std::vector<Day> trading_days() const {
    std::vector<Day> days;
    auto change = listed_change_.begin();
    int64_t listed = 0;
    for (const auto& [day, closes] : closes_by_day_) {
      for (; change != listed_change_.end() && change->first <= day; ++change) {
        listed += change->second;
      }
      if (2 * closes >= listed) days.push_back(day);
    }
    return days;
  }

 private:
  /// The symbol of the rows so far was listed from its first close to its last one.
  void end_symbol() {
    if (!first_close_) return;
    ++listed_change_[*first_close_];
    --listed_change_[Day{last_close_.days_since_epoch + 1}];
    first_close_.reset();
  }

  Status check_types(const arrow::Schema& schema) const {
    const auto& options = context_.manifest().find("price")->options;
    const auto width = options.find("amounts");
    const auto close = schema.GetFieldByName("close_price");
    if (close == nullptr || width == options.end()) return {};
    const bool wide = close->type()->id() == arrow::Type::DOUBLE;
    if (wide == (width->second == "float64")) return {};
    return corrupt("{}: closes are of type {} and the manifest says {}", kPricePath,
                   close->type()->ToString(), width->second);
  }

  Status add(const arrow::RecordBatch& part) {
    for (const auto& status :
         {check_symbol_type(*part.column(0)->type()), check_date_type(*part.column(1)->type()),
          check_close_type(*part.column(2)->type())}) {
      if (!status) return corrupt("{}: {}", kPricePath, status.error().message);
    }
    const auto days = days_of(*part.column(1), std::chrono::hours{0});
    if (!days) {
      return corrupt("{}: row {}: {}", kPricePath, row_count_ + days.error().index,
                     days.error().reason);
    }
    const auto closes = closes_of(*part.column(2), AmountWidth::kFloat64);
    Status status;
    visit_text(*part.column(0), [&](int64_t i, std::optional<std::string_view> symbol) {
      if (status) status = add_row(symbol, (*days)[i], closes[i]);
    });
    return status;
  }

  Status add_row(std::optional<std::string_view> symbol, Day day, const CloseValue& close) {
    if (!symbol || symbol->empty() || day == kNullDay) {
      return corrupt("{}: row {} has no symbol or no date", kPricePath, row_count_);
    }
    if (row_count_ != 0 &&
        (*symbol < last_symbol_ || (*symbol == last_symbol_ && day <= last_day_))) {
      return corrupt("{}: row {} is not behind the one before it", kPricePath, row_count_);
    }
    const bool good =
        close.kind == CloseKind::kNumber && std::isfinite(close.value) && close.value > 0;
    if (!is_compat(context_.mode) && close.kind != CloseKind::kMissing && !good) {
      return corrupt("{}: row {}: the close is no positive number", kPricePath, row_count_);
    }
    if (last_symbol_ != *symbol) {
      end_symbol();
      last_symbol_ = *symbol;
    }
    if (good) {
      if (!first_close_) first_close_ = day;
      last_close_ = day;
      ++closes_by_day_[day];
    }
    if (last_day_ != day) days_.insert(day);
    last_day_ = day;
    ++row_count_;
    return {};
  }

  VerifyContext& context_;
  uint64_t row_count_ = 0;
  std::string last_symbol_;
  Day last_day_ = kNullDay;
  std::set<Day> days_;
  std::optional<Day> first_close_;  ///< of last_symbol_
  Day last_close_;                  ///< likewise; only with first_close_
  std::map<Day, int64_t> closes_by_day_;
  std::map<Day, int64_t> listed_change_;
};

/// Trading days within the trades' first and last day on which nobody traded anything: a delivery
/// may be missing.
CheckResult check_days_without_trades(const VerifyContext& context,
                                      const std::vector<Day>& trading_days) {
  const Day first = *context.trade_days.begin();
  const Day last = *context.trade_days.rbegin();
  Findings findings;
  uint64_t count = 0;
  for (const Day day : trading_days) {
    if (day < first || day > last) continue;
    ++count;
    if (context.trade_days.contains(day)) continue;
    findings.add(static_cast<size_t>(day.days_since_epoch - first.days_since_epoch),
                 fmt::format("most symbols have a close of {} and nothing was traded; is a "
                             "delivery missing?",
                             to_string(day)));
  }
  return findings.result("days_without_trades",
                         fmt::format("trades on all of {} trading days", count),
                         CheckStatus::kWarning);
}

/// One date may be an exchange's own matter, such as a make-up session; many are a wrong day rule.
CheckResult compare_dates(const VerifyContext& context, const std::set<Day>& priced) {
  uint64_t missing = 0;
  std::optional<Day> first;
  for (const Day day : context.trade_days) {
    if (priced.contains(day)) continue;
    if (!first) first = day;
    ++missing;
  }
  const double limit = kDatesWithoutCloseWarned * static_cast<double>(context.trade_days.size());
  Findings findings;
  if (missing != 0) {
    const bool are_many = static_cast<double>(missing) > limit;
    findings.add(0,
                 fmt::format("of {} trade dates these are no dates of the closes, the first {}{}",
                             context.trade_days.size(), to_string(*first),
                             are_many ? "; is the day rule right?" : ""),
                 missing);
  }
  return findings.result(
      "trade_dates",
      fmt::format("{} trade dates, all of them dates of the closes", context.trade_days.size()),
      CheckStatus::kWarning);
}

}  // namespace

Result<std::vector<CheckResult>> check_prices(VerifyContext& context) {
  if (context.manifest().find("price") == nullptr || !context.is_whole(kPricePath)) {
    return std::vector{not_checked("price", "there is no whole table price")};
  }
  PriceTableCheck prices(context);
  Findings findings;
  const Status read = prices.read();
  if (!read) {
    if (stops_verification(read.error())) return std::unexpected(read.error());
    findings.add(0, read.error().message);
  }
  std::vector<CheckResult> results{
      findings.result("price", fmt::format("{} rows in order", prices.row_count()))};
  if (read && !context.trade_days.empty()) {
    results.push_back(compare_dates(context, prices.days()));
    results.push_back(check_days_without_trades(context, prices.trading_days()));
  }
  return results;
}

}  // namespace tapeworks
