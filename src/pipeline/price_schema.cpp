#include "pipeline/price_schema.h"

#include <algorithm>
#include <string_view>

#include <arrow/type.h>

#include "base/lower_case.h"
#include "pipeline/price_columns.h"

namespace tapeworks {
namespace {

/// What one of the three columns is called on the command line and by other programs.
struct ColumnRole {
  std::string_view meaning;
  std::string_view option;
  std::vector<std::string_view> usual_names;  // in lower case
};

const ColumnRole kSymbolRole{"the symbol", "--column-symbol", {"symbol_id", "coid", "symbol"}};
const ColumnRole kDateRole{"the date", "--column-date", {"date", "mdate"}};
const ColumnRole kCloseRole{
    "the close", "--column-close", {"close_price", "close_d", "close", "adj_close"}};

std::string comma_list(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

bool fits(const std::string& name, const std::string& wanted, const ColumnRole& role) {
  if (!wanted.empty()) return name == wanted;
  return std::ranges::find(role.usual_names, lower_case(name)) != role.usual_names.end();
}

/// The index of the one column that fits.
Result<int> find_column(const std::vector<std::string>& names, const std::string& wanted,
                        const ColumnRole& role, const std::string& where) {
  std::vector<std::string> fitting;
  int index = -1;
  for (size_t i = 0; i < names.size(); ++i) {
    if (!fits(names[i], wanted, role)) continue;
    fitting.push_back(names[i]);
    index = static_cast<int>(i);
  }
  if (fitting.size() == 1) return index;
  if (fitting.size() > 1) {
    return corrupt("{}: each of the columns {} could be {}; choose with {}", where,
                   comma_list(fitting), role.meaning, role.option);
  }
  if (!wanted.empty()) {
    return corrupt("{}: there is no column '{}' ({}); its columns are {}", where, wanted,
                   role.option, comma_list(names));
  }
  return corrupt("{}: no column is named like {}; its columns are {}; name it with {}", where,
                 role.meaning, comma_list(names), role.option);
}

/// One column can be two only where an option says so.
Status check_two_columns(const std::vector<std::string>& names, int one, int other,
                         const ColumnRole& role, const ColumnRole& other_role,
                         const std::string& where) {
  if (one != other) return {};
  return invalid_argument("{}: column '{}' cannot be both {} and {}; choose with {} and {}", where,
                          names[static_cast<size_t>(one)], role.meaning, other_role.meaning,
                          role.option, other_role.option);
}

Status check_column(const arrow::Schema& schema, int index, Status (*check)(const arrow::DataType&),
                    const std::string& where) {
  const auto& field = schema.field(index);
  const Status status = check(*field->type());
  if (status) return {};
  return corrupt("{}: column '{}': {}", where, field->name(), status.error().message);
}

}  // namespace

Result<PriceColumnIndices> find_price_columns(const std::vector<std::string>& names,
                                              const PriceColumnNames& wanted,
                                              const std::string& where) {
  PriceColumnIndices indices;
  TW_ASSIGN(indices.symbol, find_column(names, wanted.symbol, kSymbolRole, where));
  TW_ASSIGN(indices.date, find_column(names, wanted.date, kDateRole, where));
  TW_ASSIGN(indices.close, find_column(names, wanted.close, kCloseRole, where));
  TW_TRY(check_two_columns(names, indices.symbol, indices.date, kSymbolRole, kDateRole, where));
  TW_TRY(check_two_columns(names, indices.symbol, indices.close, kSymbolRole, kCloseRole, where));
  TW_TRY(check_two_columns(names, indices.date, indices.close, kDateRole, kCloseRole, where));
  return indices;
}

Status check_price_types(const arrow::Schema& schema, const PriceColumnIndices& columns,
                         const std::string& where) {
  TW_TRY(check_column(schema, columns.symbol, check_symbol_type, where));
  TW_TRY(check_column(schema, columns.date, check_date_type, where));
  return check_column(schema, columns.close, check_close_type, where);
}

}  // namespace tapeworks
