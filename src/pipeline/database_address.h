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

  /// kInvalidArgument for anything that is no address, an option that holds a credential, or a
  /// variable that is not set. Messages name keys, never values.
  static Result<DatabaseAddress> parse(const std::string& source);
};

/// SOURCE names a database, well or badly.
bool is_database_address(std::string_view source);

/// What may be told of an address: "adbc:postgresql (table prices)".
std::string database_name(const std::string& source);

/// A name as SQL quotes it, with the marks of the address's dialect.
std::string quoted_name(std::string_view name, const DatabaseAddress& address);

}  // namespace tapeworks
