#include <bit>
#include <functional>
#include <utility>

#include <arrow/table.h>
#include <arrow/type.h>

#include "base/random.h"
#include "pipeline/account_rows_internal.h"
#include "pipeline/pnl_tables.h"
#include "pipeline/query_rows.h"

namespace tapeworks {
namespace {

/// Every bit of the input moves half of the output, so sums of such hashes do not cancel; 0 gives
/// another number than 0.
uint64_t mix(uint64_t value) { return random_bits(value, 0); }

}  // namespace

uint64_t hash_broker(std::optional<std::string_view> broker) {
  return broker ? mix(std::hash<std::string_view>{}(*broker)) : 1;
}

bool same_bits(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}

std::vector<std::string> AccountRows::money_names(Mode mode) {
  std::vector<std::string> names;
  for (const MoneyColumn& column : money_columns(mode)) names.emplace_back(column.name);
  return names;
}

Result<AccountRows> AccountRows::of(const arrow::Table& table,
                                    const std::vector<std::string>& money, const std::string& where,
                                    arrow::MemoryPool* pool) {
  const auto with_place = [&](Error error) {
    error.message = where + ": " + error.message;
    return std::unexpected(std::move(error));
  };
  TW_ASSIGN(const auto plain, plain_table(table, where, pool));
  AccountRows rows;
  auto broker = text_column(*plain, "broker");
  if (!broker) return with_place(std::move(broker).error());
  rows.broker_ = std::move(*broker);
  for (const std::string& name : money) {
    auto column = double_column(*plain, name);
    if (!column) return with_place(std::move(column).error());
    if ((*column)->null_count() != 0) return corrupt("{}: column '{}' has nulls", where, name);
    rows.money_.push_back(std::move(*column));
  }
  return rows;
}

std::optional<std::string_view> AccountRows::broker(int64_t row) const {
  return text_at(*broker_, row);
}

uint64_t AccountRows::broker_hash(int64_t row) const { return hash_broker(broker(row)); }

uint64_t AccountRows::row_hash(int64_t row) const {
  uint64_t hash = broker_hash(row);
  for (const auto& column : money_) hash = mix(hash ^ std::bit_cast<uint64_t>(column->Value(row)));
  return hash;
}

Status check_rank_order(const arrow::Table& table, const AccountRows& rows, Mode mode,
                        const std::string& where) {
  const auto ranks = table.GetColumnByName("rank");
  if (ranks == nullptr || ranks->type()->id() != arrow::Type::UINT32) {
    return corrupt("{}: there is no column rank of type uint32", where);
  }
  int64_t row = 0;
  for (const auto& chunk : ranks->chunks()) {
    const auto& values = static_cast<const arrow::UInt32Array&>(*chunk);
    for (int64_t i = 0; i < values.length(); ++i, ++row) {
      if (values.IsNull(i) || values.Value(i) != row + 1) {
        return corrupt("{}: the rank of row {} is not {}", where, row, row + 1);
      }
    }
  }
  for (row = 1; row < rows.count(); ++row) {
    const double above = rows.money(0, row - 1);
    const double below = rows.money(0, row);
    const bool tie = !ranks_above(above, below, mode) && !ranks_above(below, above, mode);
    if (ranks_above(below, above, mode) || (tie && rows.broker(row) <= rows.broker(row - 1))) {
      return corrupt("{}: row {} should stand above the one before it", where, row);
    }
  }
  return {};
}

}  // namespace tapeworks
