#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tapeworks {

/// Why a row is not counted. The drops are part of the data's meaning; the others are bad rows.
enum class RowProblem : uint8_t {
  kNone,
  kSpecialPrice,  ///< not a problem: the row needs the slow way (wide price, inf, nan)
  kOtherDay,      ///< not a problem: an incremental scan does not want its day
  kDashPrice,
  kNullPrice,
  kNullSymbolDropped,  ///< compat modes drop such rows silently
  kBadPrice,
  kNegativeCount,
  kCountTooLarge,
  kNullSymbol,
  kUnsafeSymbol,
  kNullBroker,
  kBadBroker,
  kNullDate,
  kBadDate,
  kEnd,
};

constexpr bool is_bad(RowProblem problem) { return problem >= RowProblem::kBadPrice; }

/// The name of the problem in the manifest ("bad_price") and in messages.
std::string_view manifest_name(RowProblem problem);

/// Counts of rows by problem.
using ProblemCounts = std::array<uint64_t, static_cast<size_t>(RowProblem::kEnd)>;

/// Where a bad row is. Numbers count from 0.
struct RowPlace {
  size_t file = 0;
  int row_group = 0;
  int64_t row = 0;  ///< within the row group

  auto operator<=>(const RowPlace&) const = default;
};

/// The bad rows of a scan: how many, and the first one in (file, row group, row) order.
/// Threads: any.
class BadRowLog {
 public:
  void add(const RowPlace& place, RowProblem problem, std::string_view value);

  uint64_t count() const;

  struct First {
    RowPlace place;
    RowProblem problem = RowProblem::kNone;
    std::string value;
  };
  std::optional<First> first() const;

 private:
  mutable std::mutex mutex_;
  uint64_t count_ = 0;          // guarded by mutex_
  std::optional<First> first_;  // guarded by mutex_
};

/// What is wrong with the row, as part of a sentence: "the price '12a' is no number".
std::string describe(const BadRowLog::First& bad_row);

}  // namespace tapeworks
