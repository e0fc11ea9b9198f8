#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "storage/database_connection.h"

namespace tapeworks {

/// A SOURCE of the form adbc:DRIVER?KEY=VALUE&KEY=VALUE... (docs/commands/sync.md): the driver,
/// what to read, and the options that are passed on to the driver.
///
/// Credentials come from the environment: ${NAME} in the value of an option stands for a variable.
/// One that is written out is refused, because other users of the machine can read command lines.
/// Everything that came from the environment is a secret, which no message contains.
struct DatabaseAddress {
  DatabaseOptions options;
  std::string table;  ///< as SQL writes it: names joined by dots, each plain or quoted
  std::string query;  ///< exactly one of table and query is there

  /// Around names, in the dialect of the driver.
  char quote() const;

  /// kInvalidArgument for anything that is no address, an option that holds a credential, or a
  /// variable that is not set. Messages name keys, never values.
  static Result<DatabaseAddress> parse(const std::string& source);
};

/// SOURCE names a database, well or badly: adbc:... or bigquery:...
bool is_database_address(std::string_view source);

/// A database's address names a table and no query. Errors: kInvalidArgument for a wrong address.
Result<bool> names_a_table(const std::string& source);

/// What may be told of an address: "adbc:postgresql (table prices)", "bigquery://p/d.prices".
std::string database_name(const std::string& source);

/// A name as SQL quotes it between these marks.
std::string quoted_name(std::string_view name, char mark);

}  // namespace tapeworks
