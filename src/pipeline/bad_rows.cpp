#include "pipeline/bad_rows.h"

#include <fmt/format.h>

#include "base/printable_text.h"

namespace tapeworks {
namespace {

constexpr size_t kShownBytesMax = 60;

}  // namespace

std::string_view manifest_name(RowProblem problem) {
  static constexpr std::array<std::string_view, static_cast<size_t>(RowProblem::kEnd)> kNames{
      "",
      "",
      "",
      "dropped_dash_price",
      "dropped_null_price",
      "dropped_null_symbol",
      "bad_price",
      "bad_negative_count",
      "bad_count_too_large",
      "bad_null_symbol",
      "bad_unsafe_symbol",
      "bad_null_broker",
      "bad_broker_text",
      "bad_null_date",
      "bad_date"};
  return kNames[static_cast<size_t>(problem)];
}

void BadRowLog::add(const RowPlace& place, RowProblem problem, std::string_view value) {
  const std::scoped_lock lock(mutex_);
  ++count_;
  if (!first_ || place < first_->place) first_ = First{place, problem, std::string(value)};
}

uint64_t BadRowLog::count() const {
  const std::scoped_lock lock(mutex_);
  return count_;
}

std::optional<BadRowLog::First> BadRowLog::first() const {
  const std::scoped_lock lock(mutex_);
  return first_;
}

std::string describe(const BadRowLog::First& bad_row) {
  const std::string value = printable_text(bad_row.value, kShownBytesMax);
  switch (bad_row.problem) {
    case RowProblem::kBadPrice:
      return fmt::format("the price '{}' is no finite, non-negative number", value);
    case RowProblem::kNegativeCount:
      return fmt::format("the share count {} is negative", value);
    case RowProblem::kCountTooLarge:
      return fmt::format("the share count {} is too large", value);
    case RowProblem::kNullSymbol:
      return "the symbol is null or empty";
    case RowProblem::kUnsafeSymbol:
      return fmt::format("the symbol '{}' cannot be a file name", value);
    case RowProblem::kNullBroker:
      return "the broker is null";
    case RowProblem::kBadBroker:
      return fmt::format("the broker '{}' is no valid UTF-8 text", value);
    case RowProblem::kNullDate:
      return "the date is null";
    case RowProblem::kBadDate:
      return fmt::format("the date '{}' is no day between the years 1 and 9999", value);
    default:
      return "the row is not understood";
  }
}

}  // namespace tapeworks
