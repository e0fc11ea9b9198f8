#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tapeworks::bigquery {

/// A table or view.
struct TableName {
  std::string project;
  std::string dataset;
  std::string table;

  /// As a query names it: `project.dataset.table`, with the quotes.
  std::string sql() const;
  /// Takes apart what sql() made, or the same without quotes; nothing in a part where one is
  /// missing.
  static TableName parse(std::string_view text);
};

/// bigquery://PROJECT/DATASET.TABLE, bigquery://PROJECT/OTHER_PROJECT.DATASET.TABLE, or
/// bigquery://PROJECT?query=SQL; location=REGION may be an option of each. PROJECT runs the query
/// and pays for it. Pure text: nobody is asked.
struct Address {
  std::string project;
  TableName table;       ///< either this
  std::string query;     ///< or this
  std::string location;  ///< empty: where the data is, as far as Google finds it by itself

  bool reads_a_table() const { return !table.table.empty(); }
  /// As messages and records name it, without the query.
  std::string text() const;

  /// kInvalidArgument, naming what would do.
  static Result<Address> parse(std::string_view text);
};

/// Begins with bigquery:
bool is_address(std::string_view text);

}  // namespace tapeworks::bigquery
