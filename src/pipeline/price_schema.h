#pragma once

#include <string>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/result.h"

namespace tapeworks {

/// The names of the columns to read; an empty one is guessed from the names that are in use.
struct PriceColumnNames {
  std::string symbol;
  std::string date;
  std::string close;
};

/// Where the three columns are.
struct PriceColumnIndices {
  int symbol = 0;
  int date = 0;
  int close = 0;
};

/// Finds the columns by name. kCorrupt, beginning with `where` and naming the columns there are,
/// when one is missing or several could be meant.
Result<PriceColumnIndices> find_price_columns(const std::vector<std::string>& names,
                                              const PriceColumnNames& wanted,
                                              const std::string& where);

/// kCorrupt, naming the column, when one of the three has a type that cannot be used.
Status check_price_types(const arrow::Schema& schema, const PriceColumnIndices& columns,
                         const std::string& where);

}  // namespace tapeworks
