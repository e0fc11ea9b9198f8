#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/calendar_day.h"
#include "base/result.h"

namespace tapeworks {

/// A float keeps its own type: its shortest text is shorter than that of the same value as double.
using Cell =
    std::variant<std::monostate, bool, int64_t, uint64_t, float, double, std::string_view, Day>;

/// One column of a result with its values unpacked; monostate is null.
struct CellColumn {
  std::string name;
  std::vector<Cell> cells;

  bool is_number() const;
};

/// The columns of a table. The texts are borrowed from `table`, which must outlive the answer.
/// kInternal for a type that results never have.
Result<std::vector<CellColumn>> cells_of(const arrow::Table& table);

/// The shortest text that reads back as the same number ("0.1", "1e+20", "-0.0", "nan").
std::string shortest_text(double value);
std::string shortest_text(float value);

}  // namespace tapeworks
