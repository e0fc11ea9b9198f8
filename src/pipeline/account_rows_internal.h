#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/array/array_binary.h>
#include <arrow/array/array_primitive.h>
#include <arrow/type_fwd.h>

#include "base/result.h"
#include "pipeline/mode.h"

namespace tapeworks {

/// The rows of pnl/{symbol}, derived/symbol_broker or derived/broker_ranking: a broker, and money
/// columns without nulls.
class AccountRows {
 public:
  /// kCorrupt, beginning with `where`, for a missing column, a null or another type.
  static Result<AccountRows> of(const arrow::Table& table, const std::vector<std::string>& money,
                                const std::string& where, arrow::MemoryPool* pool);
  /// Every float64 column behind `broker`, which is what differs between modes.
  static std::vector<std::string> money_names(Mode mode);

  int64_t count() const { return broker_->length(); }
  /// Nothing for the null broker.
  std::optional<std::string_view> broker(int64_t row) const;
  double money(size_t column, int64_t row) const { return money_[column]->Value(row); }
  size_t money_count() const { return money_.size(); }

  uint64_t broker_hash(int64_t row) const;
  /// Over broker and the bits of all money columns.
  uint64_t row_hash(int64_t row) const;

 private:
  std::shared_ptr<arrow::StringArray> broker_;
  std::vector<std::shared_ptr<arrow::DoubleArray>> money_;
};

/// kCorrupt when the column `rank` of `table` does not count 1, 2, 3..., or `rows` (of the same
/// table) are not by their first money column descending, ties by broker ascending.
Status check_rank_order(const arrow::Table& table, const AccountRows& rows, Mode mode,
                        const std::string& where);

/// Equal texts have equal hashes within one process; nothing may be stored.
uint64_t hash_broker(std::optional<std::string_view> broker);

/// Same bits, so that NaN equals itself and 0 is not -0.
bool same_bits(double a, double b);

}  // namespace tapeworks
